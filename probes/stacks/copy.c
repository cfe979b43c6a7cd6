/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See copy.h. The steps are those of the kernel side (step.h); what a step reads must lie in
 * the copy, so of an ended thread code without a table is crossed by frame pointers only.
 */
#include "copy.h"

#include <string.h>
#include <sys/uio.h>

#define __noinline __attribute__((noinline))

static const struct stacks_copy *stack_now; /* one at a time: what step.h reads is in it */
static pid_t living;                        /* or in the memory of this thread */

static int read_living(void *to, size_t size, uint64_t from)
{
	struct iovec here = { to, size }, there = { (void *)(uintptr_t)from, size };

	return living && process_vm_readv(living, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -1;
}

static int read_copy(void *to, size_t size, uint64_t from)
{
	uint64_t at = from - stack_now->sp;

	if (at >= stack_now->bytes || size > stack_now->bytes - at)
		return read_living(to, size, from);
	memcpy(to, stack_now->stack + at, size);
	return 0;
}

#define STEP_READ(to, size, from) read_copy(to, size, from)
#define STEP_WORD(r, to, from) read_copy(to, sizeof(*(to)), from)
#include "step.h"

static const struct stacks_mapping *mapping_at(const struct stacks_copy *copy, uint64_t pc)
{
	for (uint32_t i = 0; i < copy->n && i < STACKS_MAPPINGS; i++)
		if (pc >= copy->list[i].start && pc < copy->list[i].end)
			return &copy->list[i];
	return NULL;
}

static void push(struct stacks_body *body, const struct stacks_regs *r, uint64_t frame)
{
	body->frames[body->n++] = r->exact ? frame | FRAME_EXACT : frame;
}

static void push_raw(struct stacks_body *body, const struct stacks_regs *r)
{
	push(body, r, (uint64_t)FRAME_RAW << FRAME_KIND_SHIFT | (r->pc & FRAME_RAW_MASK));
}

/* As walk_place() in walk.bpf.h: the frame, and the row in force there. 1: the walk ends. */
static int place(struct stacks_body *body, struct stacks_regs *r, const struct table_store *tables,
		 struct unwind_row *row)
{
	uint64_t pc = r->exact ? r->pc : r->pc - 1, frame;
	const struct stacks_mapping *m = mapping_at(stack_now, pc);
	const struct unwind_row *found;
	const struct stacks_file *f;

	if (!m) {
		if (r->guess)
			return step_end(r, STACK_NO_ROW);
		push_raw(body, r);
		return step_end(r, STACK_NO_MAPPING);
	}
	frame = m->place + (pc - m->start);
	f = m->place && frame >> FRAME_FILE_SHIFT < tables->nfiles
		    ? &tables->files[frame >> FRAME_FILE_SHIFT]
		    : NULL;
	if (!f || (f->flags & (STACKS_FILE_READY | STACKS_FILE_CODE)) == STACKS_FILE_READY) {
		push_raw(body, r);
		return 0;
	}
	push(body, r, frame + !r->exact);
	if (!(f->flags & STACKS_FILE_READY))
		return step_end(r, STACK_NO_TABLE);
	if (f->flags & STACKS_FILE_NO_TABLE)
		return step_end(r, f->flags & STACKS_FILE_NO_ROOM ? STACK_NO_ROOM : STACK_NO_FILE);
	found = table_store_find(tables, f, frame & FRAME_OFFSET_MASK);
	if (found)
		*row = *found;
	return 0;
}

static void begin(struct stacks_regs *r, const struct stacks_copy *copy, uint32_t follow)
{
	r->pc = copy->pc;
	r->sp = copy->sp;
	r->bp = copy->bp;
	r->di = copy->di;
	r->known = (uint16_t)copy->known;
	memcpy(r->gp, copy->gp, sizeof(r->gp));
	step_begin(r, follow);
}

void stacks_copy_walk(struct stacks_copy_body *to, const struct table_store *tables,
		      const struct stacks_copy *copy, pid_t tid)
{
	struct stacks_body *body = &to->body;
	struct stacks_regs r = { 0 };
	int done = 0;

	stack_now = copy;
	living = tid;
	begin(&r, copy, STEP_PASS);
	*body = (struct stacks_body){ .head = copy->head, .hash = copy->hash };
	body->head.kind = EVENT_STACKS_BODY;
	while (!done) {
		struct unwind_row row = { 0 };

		if (body->n == STACK_FRAMES)
			done = step_end(&r, STACK_DEEP);
		else
			done = place(body, &r, tables, &row) || step_up(&r, &row);
		if (done && r.end == STEP_AGAIN) {
			begin(&r, copy, STEP_FOLLOW);
			body->n = 0;
			done = 0;
		}
	}
	body->end = (uint16_t)r.end;
}
