/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a lock lies and who waits for it, taken once a lock while its process lives: the
 * mapping around it (bpf_find_vma), the words on the waiter's stack, which have the function
 * of the C library that called, and the first bytes of the lock itself.
 */
#ifndef DWELL_LOCKS_MARK_BPF_H
#define DWELL_LOCKS_MARK_BPF_H

#include "../ledger/object.bpf.h"
#include "locks.h"
#include "target.bpf.h"

#define PAGE_SHIFT 12
#define VM_EXEC 4    /* include/linux/mm.h */
#define MARK_TRIES 8 /* find_vma gives up when the address space is being changed */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct locks_key);
	__type(value, struct locks_mark);
} locks_marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locks_mark);
} locks_scratch SEC(".maps");

/* What the callback finds; on the stack, as bpf_find_vma demands. */
struct mark_search {
	__u64 address;
	struct locks_place place;
	struct file *file;
	__u64 flags;
};

static long mark_take_vma(struct task_struct *task, struct vm_area_struct *vma,
			  struct mark_search *found)
{
	struct mm_struct *mm = KREAD_KNOWN(vma, vm_mm);
	__u64 brk = KREAD(mm, brk), start_brk = KREAD(mm, start_brk);
	__u64 stack = KREAD(mm, start_stack);
	struct locks_place *p = &found->place;

	p->start = vma->vm_start;
	p->end = vma->vm_end;
	p->offset = (__u64)vma->vm_pgoff << PAGE_SHIFT;
	found->flags = vma->vm_flags;
	/* a number to the verifier, which else would not let it go as one */
	bpf_probe_read_kernel(&found->file, sizeof(found->file), &vma->vm_file);
	if (found->file)
		p->area = AREA_FILE;
	else if (p->start <= brk && found->address >= start_brk && found->address < brk)
		p->area = AREA_HEAP;
	else if (p->start <= stack && p->end >= stack)
		p->area = AREA_STACK;
	else
		p->area = AREA_ANONYMOUS;
	return 0;
}

/* Inode and device, and in ledger_names the path, of a file that `place` is mapped from. */
/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline int mark_file(struct locks_place *place, __u64 address)
{
	struct object_key key = { .kind = OBJECT_FILE };
	struct file *file = (struct file *)address;
	struct inode *inode;
	struct super_block *sb;

	if (!place || !file)
		return 0;
	inode = KREAD(file, f_inode);
	sb = KREAD(inode, i_sb);
	key.a = place->inode = KREAD(inode, i_ino);
	key.b = place->dev = KREAD(sb, s_dev);
	object_named(&key, address);
	return 0;
}

/*
 * The place of a user address of the current task, and its file's address or 0; -1: not to
 * be had just now. Functions return before the next one is called: the stack is small.
 */
__noinline __s64 mark_place(__u64 address, struct locks_place *place)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mark_search found = { .address = address };
	__u64 start, end;

	if (!place || bpf_find_vma(task, address, mark_take_vma, &found, 0))
		return -1;
	*place = found.place;
	if (found.place.area != AREA_ANONYMOUS)
		return (__s64)found.file;
	/* a program's zeroes lie right behind what is mapped of its file */
	start = found.place.start;
	end = found.place.end;
	found.address = start - 1;
	if (bpf_find_vma(task, start - 1, mark_take_vma, &found, 0) || !found.file ||
	    found.place.end != start)
		return 0;
	*place = found.place;
	place->end = end;
	place->area = AREA_BEHIND;
	return (__s64)found.file;
}

/* Whether the word points to code of a file other than `code`; its file's address, or 0. */
__noinline __u64 mark_code(__u64 word, struct locks_place *place)
{
	struct mark_search found = { .address = word };

	if (!place || bpf_find_vma(bpf_get_current_task_btf(), word, mark_take_vma, &found, 0) ||
	    !(found.flags & VM_EXEC) || !found.file)
		return 0;
	*place = found.place;
	return (__u64)found.file;
}

#define CODE_TRIES 12
#define USER_LOW 0x10000UL
#define USER_HIGH 0x7fffffffffffUL
#define OWN_STACK 65536 /* words that point so near are frames */

/*
 * How far it has come stands in the record, not here: what comes from a map is any number to
 * the verifier, which so need not follow each turn of the loop.
 */
struct mark_words {
	struct locks_mark *mark;
	__u64 sp;
};

/* One word of the stack; 1 when it was the last that is looked for. */
static long mark_word(__u32 i, struct mark_words *w)
{
	struct locks_mark *mark = w->mark;
	__u64 word, file;
	__u32 found;

	if (i >= MARK_WORDS)
		return 1;
	word = mark->words[i];
	if (word < USER_LOW || word > USER_HIGH || word - w->sp < OWN_STACK ||
	    word - mark->code.start < mark->code.end - mark->code.start)
		return 0;
	found = mark->found & (MARK_RETURNS - 1);
	file = mark_code(word, &mark->returns[found].place);
	if (!file)
		return ++mark->tries >= CODE_TRIES;
	mark->returns[found].address = word;
	mark->returns[found].place.inode = file; /* until mark_file() */
	return ++mark->found >= MARK_RETURNS;
}

/* Who called the C library: the nearest words that point to other code than its own. */
__noinline int mark_callers(struct locks_mark *mark, __u64 sp)
{
	struct mark_words words = { .mark = mark, .sp = sp };

	if (!mark)
		return 0;
	bpf_loop(MARK_WORDS, mark_word, &words, 0);
#pragma unroll
	for (int i = 0; i < MARK_RETURNS; i++)
		mark_file(&mark->returns[i].place, mark->returns[i].place.inode);
	return 0;
}

/* Returns whether it is done with: marked, or without room. */
__noinline int mark_lock(const struct locks_key *which, __u32 op, __u32 value)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct locks_key key; /* before 6.2 a map's key must be on the stack */
	struct locks_mark *mark;
	__u32 zero = 0;
	__s64 file;

	if (!which)
		return 1;
	key = *which;
	mark = bpf_map_lookup_elem(&locks_scratch, &zero);
	if (!mark)
		return 1;
	__builtin_memset(mark, 0, __builtin_offsetof(struct locks_mark, words));
	file = mark_place(key.address, &mark->place);
	if (file == -1)
		return 0;
	mark_file(&mark->place, file);
	mark->ip = regs->ip;
	mark->op = op;
	mark->value = value;
	file = mark_place(regs->ip, &mark->code);
	if (file != -1)
		mark_file(&mark->code, file);
	if (bpf_probe_read_user(mark->words, sizeof(mark->words), (void *)regs->sp))
		__builtin_memset(mark->words, 0, sizeof(mark->words));
	if (bpf_probe_read_user(mark->bytes, sizeof(mark->bytes), (void *)key.address))
		__builtin_memset(mark->bytes, 0xff, sizeof(mark->bytes)); /* no mutex */
	mark_callers(mark, regs->sp);
	bpf_map_update_elem(&locks_marks, &key, mark, BPF_NOEXIST);
	return 1;
}

#endif
