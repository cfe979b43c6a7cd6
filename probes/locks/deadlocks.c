/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlocks: of the threads that the ledger has as blocked on a futex now, those that wait
 * without a time limit for a mutex which another of them holds, and so round. Each thread is
 * looked at twice: one that did not switch in between waited for that lock all the while, so
 * a cycle among such threads existed at one moment, and none of them can end it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cycle.h"
#include "locks_user.h"
#include "read.h"

struct stuck {
	const struct ledger_blocked *who;
	uint64_t address;
	uint32_t inner_tid; /* in its own PID namespace, where owners are told by it */
	struct mutex_view mutex;
	uint64_t switches;
};

/* What /proc says of a thread: its number in its own namespace, its switches so far. */
static bool read_status(uint32_t pid, uint32_t tid, uint32_t *inner, uint64_t *switches)
{
	char path[64], text[4096];
	const char *numbers, *voluntary, *involuntary;
	uint64_t a = 0, b = 0;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", pid, tid);
	if (proc_read_file(path, text, sizeof(text)) <= 0)
		return false;
	numbers = strstr(text, "\nNSpid:");
	voluntary = strstr(text, "\nvoluntary_ctxt_switches:");
	involuntary = strstr(text, "\nnonvoluntary_ctxt_switches:");
	if (!voluntary || !involuntary || sscanf(voluntary, " %*s %" SCNu64, &a) != 1 ||
	    sscanf(involuntary, " %*s %" SCNu64, &b) != 1)
		return false;
	*switches = a + b;
	*inner = tid;
	if (!numbers)
		return true;
	len = strcspn(numbers + 1, "\n"); /* outermost first: the last is its own */
	while (len && numbers[len] >= '0' && numbers[len] <= '9')
		len--;
	*inner = (uint32_t)strtoul(numbers + len + 1, NULL, 10);
	return *inner;
}

/* Does the thread wait, without a limit, for a mutex that somebody holds? */
static bool look(const struct ledger_blocked *b, struct stuck *s)
{
	uint8_t bytes[MUTEX_BYTES];
	struct thread_call call;
	uint32_t op;

	*s = (struct stuck){ .who = b };
	if (!read_status(b->pid, b->tid, &s->inner_tid, &s->switches) ||
	    !thread_call_read(b->pid, b->tid, &call) || call.nr != SYS_futex)
		return false;
	op = (uint32_t)call.arg[1] & OP_MASK;
	if ((op != OP_WAIT && op != OP_LOCK_PI && op != OP_LOCK_PI2) || call.arg[3])
		return false;
	s->address = call.arg[0];
	return process_memory(b->pid, s->address, bytes, sizeof(bytes)) &&
	       mutex_decode(bytes, sizeof(bytes), &s->mutex) && s->mutex.owner;
}

static uint64_t id_of(uint32_t pid, uint32_t tid)
{
	return (uint64_t)pid << 32 | tid;
}

/* A shared mutex's owner may be of another process that is stuck as well. */
static uint64_t owner_of(const struct stuck *all, size_t n, const struct stuck *s)
{
	for (size_t i = 0; s->mutex.shared && i < n; i++)
		if (all[i].inner_tid == s->mutex.owner)
			return id_of(all[i].who->pid, all[i].inner_tid);
	return id_of(s->who->pid, s->mutex.owner);
}

static bool still_so(const struct stuck *s)
{
	struct stuck now;

	return look(s->who, &now) && now.switches == s->switches && now.address == s->address &&
	       now.mutex.owner == s->mutex.owner;
}

static void fill_member(struct probe *p, struct report *r, const struct stuck *s,
			struct deadlock_member *m)
{
	struct locks_data *d = p->data;
	struct lock_identity id = { 0 };
	struct lock_facts facts;

	*m = (struct deadlock_member){
		.pid = s->who->pid,
		.tid = s->who->tid,
		.owner_tid = s->mutex.owner,
		.address = s->address,
		.ns = s->who->ns,
	};
	memcpy(m->comm, s->who->comm, COMM_LEN);
	if (lock_facts_live(&facts, s->who->pid, s->who->tid, s->address))
		lock_identify(d->modules, r, &facts, &id);
	m->lock = id.name ? id.name : "?";
}

static void add_cycle(struct probe *p, struct report *r, const struct stuck *stuck,
		      const struct waiting *waiting, size_t n, size_t first)
{
	struct deadlock_row *row = &r->locks.deadlocks[r->locks.ndeadlocks];
	size_t at = first;

	row->members = report_alloc(r, n * sizeof(*row->members));
	row->nmembers = 0;
	do {
		if (!still_so(&stuck[at]))
			return;
		fill_member(p, r, &stuck[at], &row->members[row->nmembers++]);
		at = waiting[at].next;
	} while (at != first);
	/* owners by the number that we know them by */
	for (size_t i = 0; i < row->nmembers; i++)
		row->members[i].owner_tid = row->members[(i + 1) % row->nmembers].tid;
	r->locks.ndeadlocks++;
}

void locks_deadlocks(struct probe *p, struct report *r)
{
	size_t room = r->ledger.nblocked, n = 0, cycles;
	struct stuck *stuck = calloc(room + 1, sizeof(*stuck));
	struct waiting *waiting = calloc(room + 1, sizeof(*waiting));

	if (!stuck || !waiting)
		abort();
	for (size_t i = 0; i < room; i++)
		if (look(&r->ledger.blocked[i], &stuck[n]))
			n++;
	for (size_t i = 0; i < n; i++)
		waiting[i] = (struct waiting){
			.self = id_of(stuck[i].who->pid, stuck[i].inner_tid),
			.owner = owner_of(stuck, n, &stuck[i]),
		};
	cycles = cycles_find(waiting, n);
	r->locks.deadlocks = report_alloc(r, (cycles + 1) * sizeof(struct deadlock_row));
	for (size_t c = 0; c < cycles; c++)
		for (size_t i = 0; i < n; i++)
			if (waiting[i].cycle == c) {
				add_cycle(p, r, stuck, waiting, n, i);
				break;
			}
	free(stuck);
	free(waiting);
}
