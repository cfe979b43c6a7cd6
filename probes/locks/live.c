/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts of a lock of a living process, from /proc; see identity.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "identity.h"
#include "read.h"

bool process_memory(uint32_t pid, uint64_t address, void *to, size_t size)
{
	struct iovec local = { .iov_base = to, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };

	return process_vm_readv((pid_t)pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

bool thread_call_read(uint32_t pid, uint32_t tid, struct thread_call *call)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/syscall", pid, tid);
	if (proc_read_file(path, text, sizeof(text)) <= 0)
		return false;
	return sscanf(text,
		      "%" SCNu64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		      " %" SCNx64 " %" SCNx64 " %" SCNx64,
		      &call->nr, &call->arg[0], &call->arg[1], &call->arg[2], &call->arg[3],
		      &call->arg[4], &call->arg[5], &call->sp, &call->ip) == 9;
}

/* A line of /proc/PID/maps. */
static bool parse_mapping(const char *line, struct locks_place *place, bool *code, char *path,
			  size_t size)
{
	char rest[4096] = "", access[8];
	unsigned int major, minor;

	memset(place, 0, sizeof(*place));
	if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %4095[^\n]", &place->start, &place->end,
		   access, &place->offset, &major, &minor, &place->inode, rest) < 7)
		return false;
	*code = access[2] == 'x';
	place->dev = major << 20 | minor;
	place->area = place->inode               ? AREA_FILE
		      : !strcmp(rest, "[heap]")  ? AREA_HEAP
		      : !strcmp(rest, "[stack]") ? AREA_STACK
						 : AREA_ANONYMOUS;
	snprintf(path, size, "%s", place->area == AREA_FILE ? rest : "");
	return true;
}

struct wanted {
	uint64_t address;
	struct locks_place *place;
	char *path;
	size_t size;
};

static void take_mapping(struct wanted *w, const struct locks_place *now, const char *path,
			 const struct locks_place *before, const char *path_before)
{
	if (w->address < now->start || w->address >= now->end)
		return;
	*w->place = *now;
	if (now->area == AREA_ANONYMOUS && before->area == AREA_FILE && before->end == now->start) {
		*w->place = *before;
		w->place->end = now->end;
		w->place->area = AREA_BEHIND;
		path = path_before;
	}
	snprintf(w->path, w->size, "%s", path);
}

/* Words of the stack that point to code other than the C library's own. */
static void take_code(struct lock_facts *f, size_t at[MARK_RETURNS], const struct locks_place *now,
		      const char *path)
{
	for (size_t i = 0; i < MARK_WORDS; i++) {
		uint64_t word = f->mark.words[i];
		size_t to = 0;

		if (word < now->start || word >= now->end ||
		    (f->mark.ip >= now->start && f->mark.ip < now->end))
			continue;
		while (to < MARK_RETURNS && f->mark.returns[to].address && at[to] < i)
			to++;
		if (to == MARK_RETURNS)
			continue;
		for (size_t k = MARK_RETURNS - 1; k > to; k--) {
			at[k] = at[k - 1];
			f->mark.returns[k] = f->mark.returns[k - 1];
			memcpy(f->return_path[k], f->return_path[k - 1], sizeof(f->return_path[k]));
		}
		at[to] = i;
		f->mark.returns[to] = (struct locks_return){ word, *now };
		snprintf(f->return_path[to], sizeof(f->return_path[to]), "%s", path);
	}
}

static bool find_mappings(struct lock_facts *facts, struct wanted *wanted, int n)
{
	struct locks_place now = { 0 }, before = { 0 };
	char name[64], line[4500], path[512] = "", path_before[512] = "";
	size_t at[MARK_RETURNS] = { 0 };
	bool code;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/maps", facts->pid);
	f = fopen(name, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (!parse_mapping(line, &now, &code, path, sizeof(path)))
			continue;
		for (int i = 0; i < n; i++)
			take_mapping(&wanted[i], &now, path, &before, path_before);
		if (code && now.area == AREA_FILE)
			take_code(facts, at, &now, path);
		before = now;
		memcpy(path_before, path, sizeof(path));
	}
	fclose(f);
	return true;
}

bool lock_facts_live(struct lock_facts *f, uint32_t pid, uint32_t tid, uint64_t address)
{
	struct wanted wanted[2] = {
		{ address, &f->mark.place, f->path, sizeof(f->path) },
		{ 0, &f->mark.code, f->code_path, sizeof(f->code_path) },
	};
	struct thread_call call = { 0 };

	memset(f, 0, sizeof(*f));
	f->address = address;
	f->pid = pid;
	f->mark.op = OP_WAIT_BITSET;
	if (tid && thread_call_read(pid, tid, &call)) {
		f->mark.op = (uint32_t)call.arg[1] & OP_MASK;
		f->mark.value = (uint32_t)call.arg[2];
		f->mark.ip = wanted[1].address = call.ip;
		if (!process_memory(pid, call.sp, f->mark.words, sizeof(f->mark.words)))
			memset(f->mark.words, 0, sizeof(f->mark.words));
	}
	if (!process_memory(pid, address, f->mark.bytes, sizeof(f->mark.bytes)))
		memset(f->mark.bytes, 0xff, sizeof(f->mark.bytes));
	return find_mappings(f, wanted, 2);
}
