/* SPDX-License-Identifier: BSD-2-Clause */
/* The walker of the tests; see eh_walk.h. */
#include "eh_walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAPPINGS 256

struct mapping {
	uint64_t start, end, offset;
	char path[256];
	struct eh_table *table; /* one for all mappings of a path; NULL: not made yet */
};

struct eh_process {
	pid_t pid;
	struct mapping mappings[MAPPINGS];
	size_t n;
};

static bool read_memory(const struct eh_process *p, uint64_t address, void *buf, size_t size)
{
	struct iovec here = { buf, size }, there = { (void *)(uintptr_t)address, size };

	return process_vm_readv(p->pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

struct eh_process *eh_process_open(pid_t pid)
{
	struct eh_process *p = calloc(1, sizeof(*p));
	char name[64], line[512];
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	f = fopen(name, "re");
	if (!p || !f) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	while (p->n < MAPPINGS && fgets(line, sizeof(line), f)) {
		struct mapping *m = &p->mappings[p->n];
		unsigned long start, end, offset;
		char flags[8];

		m->path[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, flags, &offset,
			   m->path) < 4 ||
		    flags[2] != 'x' || !m->path[0])
			continue;
		m->start = start;
		m->end = end;
		m->offset = offset;
		p->n++;
	}
	fclose(f);
	return p;
}

void eh_process_close(struct eh_process *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		struct eh_table *table = p->mappings[i].table;

		if (!table)
			continue;
		for (size_t k = i; k < p->n; k++)
			if (p->mappings[k].table == table)
				p->mappings[k].table = NULL;
		eh_table_free(table);
		free(table);
	}
	free(p);
}

/* Through /proc, so that it is the file that the process has, however it is called now. */
static void make_table(struct eh_process *p, struct mapping *m)
{
	size_t size = m->end - m->start;
	char name[64];
	int fd;

	m->table = calloc(1, sizeof(*m->table));
	if (!m->table)
		abort();
	if (!strcmp(m->path, "[vdso]")) {
		void *image = malloc(size);

		if (image && read_memory(p, m->start, image, size))
			eh_table_read_image(m->table, image, size);
		free(image);
		return;
	}
	snprintf(name, sizeof(name), "/proc/%d/map_files/%lx-%lx", p->pid, m->start, m->end);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) /* map_files wants root */
		fd = open(m->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	eh_table_read(m->table, fd);
	close(fd);
}

static const struct unwind_row *find(struct eh_process *p, uint64_t pc, struct eh_walk_frame *frame)
{
	struct mapping *m = NULL;
	uint64_t offset;

	for (size_t i = 0; i < p->n && !m; i++)
		if (pc >= p->mappings[i].start && pc < p->mappings[i].end)
			m = &p->mappings[i];
	if (!m)
		return NULL;
	for (size_t i = 0; i < p->n && !m->table; i++)
		if (!strcmp(p->mappings[i].path, m->path))
			m->table = p->mappings[i].table;
	if (!m->table)
		make_table(p, m);
	offset = pc - m->start + m->offset;
	for (size_t i = 0; i < m->table->nsegments; i++) {
		const struct eh_segment *s = &m->table->segments[i];

		if (offset < s->offset || offset - s->offset >= s->size)
			continue;
		frame->path = m->path;
		frame->vaddr = offset - s->offset + s->vaddr;
		return eh_table_find(m->table, frame->vaddr);
	}
	return NULL;
}

/* The CFA; false: memory that cannot be read, or no rule. */
static bool cfa_of(const struct eh_process *p, const struct unwind_row *row,
		   const struct eh_registers *r, uint64_t pc, uint64_t *cfa)
{
	int64_t offset = row->cfa * 8LL;

	switch (row->rule) {
	case UNWIND_RSP:
		*cfa = r->sp + (uint64_t)offset;
		return true;
	case UNWIND_RBP:
		*cfa = r->bp + (uint64_t)offset;
		return true;
	case UNWIND_PLT:
		*cfa = r->sp + 8 + ((pc & 15) >= (uint64_t)row->cfa ? 8 : 0);
		return true;
	case UNWIND_RSP_FAR:
		*cfa = r->sp + 8 * ((uint16_t)row->cfa | (uint64_t)row->rbx << 16);
		return true;
	case UNWIND_REGISTER + 3:
		*cfa = r->bx + (uint64_t)offset;
		return true;
	case UNWIND_DEREF:
		return read_memory(p, r->bp + (uint64_t)offset, cfa, sizeof(*cfa));
	case UNWIND_RSP_DEREF:
		if (!read_memory(p, r->sp + (uint64_t)offset, cfa, sizeof(*cfa)))
			return false;
		*cfa += 8;
		return true;
	default:
		return false;
	}
}

/* The registers that the kernel saved: rsi rbp rbx rdx rax rcx rsp rip from rsp + 112 on. */
static bool of_signal(const struct eh_process *p, struct eh_registers *r)
{
	uint64_t saved[8];

	if (!read_memory(p, r->sp + 112, saved, sizeof(saved)))
		return false;
	r->bp = saved[1];
	r->bx = saved[2];
	r->sp = saved[6];
	r->pc = saved[7];
	return true;
}

/* From a frame to its caller. */
static bool step(const struct eh_process *p, const struct unwind_row *row, uint64_t pc,
		 struct eh_registers *r)
{
	uint64_t cfa, bp = r->bp, at;

	if (row->rule == UNWIND_SIGNAL)
		return of_signal(p, r);
	if (row->rule == UNWIND_RDI) {
		r->sp += (uint64_t)(row->cfa * 8LL);
		r->pc = r->di;
		return true;
	}
	if (!cfa_of(p, row, r, pc, &cfa) || cfa < r->sp)
		return false;
	at = row->rule == UNWIND_DEREF ? r->bp : cfa;
	if ((row->rbp || row->rule == UNWIND_DEREF) &&
	    !read_memory(p, at + (uint64_t)(row->rbp * 8LL), &bp, sizeof(bp)))
		return false;
	if (row->rule != UNWIND_RSP_FAR && row->rbx && row->rbx != UNWIND_RBX_ELSEWHERE &&
	    !read_memory(p, cfa - 8 * (row->rbx + 1ULL), &r->bx, sizeof(r->bx)))
		return false;
	r->sp = cfa;
	r->bp = bp;
	return read_memory(p, cfa - 8, &r->pc, sizeof(r->pc));
}

void eh_walk(struct eh_process *p, const struct eh_registers *from, struct eh_walk *walk)
{
	struct eh_registers r = *from;
	bool exact = true;

	walk->n = 0;
	walk->whole = false;
	while (walk->n < EH_WALK_FRAMES && r.pc) {
		struct eh_walk_frame *frame = &walk->frames[walk->n++];
		uint64_t pc = exact ? r.pc : r.pc - 1;
		const struct unwind_row *row;

		*frame = (struct eh_walk_frame){ .pc = r.pc, .exact = exact };
		row = find(p, pc, frame);
		walk->rule = row ? row->rule : UNWIND_NONE;
		walk->whole = walk->rule == UNWIND_END;
		exact = walk->rule == UNWIND_SIGNAL;
		if (!row || walk->whole || !step(p, row, pc, &r))
			break;
	}
}
