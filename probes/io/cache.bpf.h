/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The page cache, in the context of who makes it move: pages taken in, and what for; pages
 * dirtied; faults on file mappings.
 *
 * A page that a read finds missing is read from storage, and with it those that the kernel
 * reads ahead: each is taken in once, by the call that asked. So pages taken in by reads are
 * the misses of reads, whoever of the target reads them later, and the pages that reads took
 * from the cache (calls.bpf.h) less those are the hits.
 */
#ifndef DWELL_IO_CACHE_BPF_H
#define DWELL_IO_CACHE_BPF_H

#include "calls.bpf.h"

/* 6.18 (memdesc_flags_t); before it a number */
struct folio___memdesc {
	struct {
		unsigned long f;
	} flags;
} SLICE;

struct folio___number {
	unsigned long flags;
} SLICE;

/* 6.17: _nr_pages */
struct folio___nr_pages {
	unsigned int _nr_pages;
} SLICE;

struct folio___folio_nr_pages {
	unsigned int _folio_nr_pages;
} SLICE;

enum pageflags { PG_head = 6 };

static __always_inline unsigned long folio_flags(struct folio *folio)
{
	struct folio___memdesc *now = (void *)folio;
	struct folio___number *old = (void *)folio;

	if (bpf_core_field_exists(now->flags.f))
		return KREAD(now, flags.f);
	return KREAD(old, flags);
}

static __always_inline __u64 folio_pages(struct folio *folio)
{
	struct folio___nr_pages *now = (void *)folio;
	struct folio___folio_nr_pages *old = (void *)folio;

	if (!(folio_flags(folio) & (1UL << bpf_core_enum_value(enum pageflags, PG_head))))
		return 1;
	if (bpf_core_field_exists(now->_nr_pages))
		return KREAD(now, _nr_pages);
	return KREAD(old, _folio_nr_pages);
}

/* The descriptor that the call reads; -1: it does not read. */
static __always_inline __s64 io_call_reads(struct pt_regs *regs, __u64 nr)
{
	switch (nr) {
	case __NR_sendfile:
		return (__u32)KREAD(regs, si);
	case __NR_read:
	case __NR_readv:
	case __NR_pread64:
	case __NR_preadv:
	case __NR_preadv2:
	case __NR_copy_file_range:
	case __NR_splice:
		return (__u32)KREAD(regs, di);
	}
	return -1;
}

static __always_inline __s64 io_call_writes(struct pt_regs *regs, __u64 nr)
{
	switch (nr) {
	case __NR_write:
	case __NR_writev:
	case __NR_pwrite64:
	case __NR_pwritev:
	case __NR_pwritev2:
	case __NR_sendfile:
		return (__u32)KREAD(regs, di);
	case __NR_copy_file_range:
	case __NR_splice:
		return (__u32)KREAD(regs, dx);
	}
	return -1;
}

/* Whether the pages of the task's file `fd` are those of `mapping`. */
static __always_inline bool io_fd_maps(__u64 task, __s64 fd, struct address_space *mapping)
{
	struct file *file = fd >= 0 ? file_of_fd(running_task(task), fd) : NULL;
	struct super_block *sb;
	struct inode *inode;

	if (!file)
		return false;
	if (KREAD(file, f_mapping) == mapping)
		return true;
	inode = KREAD(file, f_inode);
	sb = KREAD(inode, i_sb);
	return KREAD(sb, s_magic) ==
	       OVERLAYFS_SUPER_MAGIC; /* its pages are those of a file below */
}

/*
 * What the current call makes of a page of `mapping`. Of a call that reads or writes a file
 * only that file's pages count as such: its buffer may be a mapping of another file, and the
 * file system may have to read its own blocks.
 */
static __always_inline __u32 io_cause_of(const struct running *now, struct address_space *mapping)
{
	struct pt_regs *regs = (void *)now->regs;
	__u64 nr = KREAD(regs, orig_ax);

	if (nr == (__u64)-1) /* arch/x86/include/asm/idtentry.h: an exception from user code */
		return IO_BY_FAULT;
	if (io_fd_maps(now->current, io_call_reads(regs, nr), mapping))
		return IO_BY_READ;
	if (io_fd_maps(now->current, io_call_writes(regs, nr), mapping))
		return IO_BY_WRITE;
	return IO_BY_OTHER;
}

static __noinline int io_added(struct folio *folio)
{
	struct running now;
	struct io_slot *s;
	__u32 cause;

	running_find(&now);
	if (!now.who.proc_id)
		return 0;
	s = SLOT_ROW(io_slots, now.who.slot);
	cause = io_cause_of(&now, (struct address_space *)KREAD(folio, mapping));
	barrier_var(cause);
	if (s && cause < IO_CAUSES)
		slot_add(&s->added[cause], folio_pages(folio));
	return 0;
}

SEC_TP("mm_filemap_add_to_page_cache")
int BPF_PROG(io_add, struct folio *folio)
{
	return io_added(folio);
}

SEC_TP("writeback_dirty_folio")
int BPF_PROG(io_dirty, struct folio *folio)
{
	struct slot_owner who = running_owner();
	struct io_slot *s = who.proc_id ? SLOT_ROW(io_slots, who.slot) : NULL;

	if (s)
		slot_add(&s->dirtied, folio_pages(folio));
	return 0;
}

/* ---- faults on file mappings ---- */

/* By thread: the fault that was counted last, by its number among the thread's faults. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} io_faulting SEC(".maps");

/*
 * A fault may come by here several times: it looks for mapped pages around first, then for
 * its own, and all over again after it has waited for the storage. The kernel counts it once,
 * when it is done; until then the thread's number of faults is the same.
 */
static __noinline int io_fault(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct target *t = target_current();
	__u64 number, *last;
	struct io_slot *s;
	__u32 id;

	if (!t)
		return 0;
	id = t->thread_id;
	number = 1 + task->min_flt + task->maj_flt;
	last = bpf_map_lookup_elem(&io_faulting, &id);
	if (last && *last == number)
		return 0;
	if (last)
		*last = number;
	else
		bpf_map_update_elem(&io_faulting, &id, &number, BPF_ANY);
	s = SLOT_OF(io_slots, t);
	if (s)
		slot_add(&s->faults, 1);
	return 0;
}

SEC_TP("mm_filemap_fault")
int BPF_PROG(io_fault_own)
{
	return io_fault();
}

SEC_TP("mm_filemap_map_pages")
int BPF_PROG(io_fault_around)
{
	return io_fault();
}

/* For kernels without those tracepoints (until 6.11). */
SEC("fentry/filemap_fault")
int io_fault_own_fentry(void *ctx)
{
	return io_fault();
}

SEC("fentry/filemap_map_pages")
int io_fault_around_fentry(void *ctx)
{
	return io_fault();
}

#endif
