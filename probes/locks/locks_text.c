/* SPDX-License-Identifier: BSD-2-Clause */
/* The locks probe's lines on the summary screen: what is wrong first, then what cost time. */
#include <stdio.h>

#include "format.h"
#include "locks_user.h"
#include "text_lines.h"

#define MATTERS 100 /* a line is worth it for a hundredth of all thread time */

static void tell_deadlock(const struct deadlock_row *d, struct text_lines *t)
{
	char text[480] = "";
	size_t at = 0;

	if (d->nmembers == 1) {
		text_line(t, "deadlock: %.*s (thread %u) waits for %s, which it holds itself",
			  COMM_LEN, d->members[0].comm, d->members[0].tid, d->members[0].lock);
		return;
	}
	for (size_t i = 0; i < d->nmembers && at < sizeof(text); i++) {
		const struct deadlock_member *m = &d->members[i];

		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%s%.*s (thread %u) waits for %s, held by thread %u",
				       i ? "; " : "", COMM_LEN, m->comm, m->tid, m->lock,
				       m->owner_tid);
	}
	text_line(t, "deadlock: %s", text);
}

static void tell_order(const struct lock_order_row *o, struct text_lines *t)
{
	text_line(t,
		  "lock order: %s before %s %llu times (thread %u), the other way round %llu "
		  "times (thread %u): can deadlock",
		  o->first, o->second, (unsigned long long)o->forward, o->forward_tid,
		  (unsigned long long)o->backward, o->backward_tid);
}

static void tell_futexes(const struct report *r, struct text_lines *t)
{
	const struct locks_report *l = &r->locks;
	char waited[FORMAT_LEN], waits[COUNTED_LEN], most[FORMAT_LEN];
	const struct lock_row *top = l->nlocks ? &l->locks[0] : NULL;

	if (!l->tree.futex_ns || l->tree.futex_ns < r->ledger.tree.lifetime_ns / MATTERS)
		return;
	format_duration(waited, l->tree.futex_ns, t->utf8);
	format_counted(waits, l->tree.futex_blocks, "wait", "waits");
	if (top && top->name && top->ns >= l->tree.futex_ns / 5)
		text_line(t, "futexes: %s in %s, %s of it for %s (%s)", waited, waits,
			  format_duration(most, top->ns, t->utf8), top->name, top->kind);
	else
		text_line(t, "futexes: %s in %s, for none in particular", waited, waits);
}

static void tell_kernel(const struct report *r, struct text_lines *t)
{
	const struct locks_report *l = &r->locks;
	char waited[FORMAT_LEN], waits[COUNTED_LEN], most[FORMAT_LEN];
	uint64_t ns = 0, count = 0;

	for (int i = 0; i < KERNEL_KINDS; i++) {
		ns += l->tree.counted.kernel[i].ns;
		count += l->tree.counted.kernel[i].count;
	}
	if (!ns || ns < r->ledger.tree.lifetime_ns / MATTERS)
		return;
	format_duration(waited, ns, t->utf8);
	format_counted(waits, count, "wait", "waits");
	if (l->nsites && l->sites[0].samples)
		text_line(t, "kernel locks: %s in %s, %s of it for %s in %s()", waited, waits,
			  format_duration(most, l->sites[0].ns, t->utf8), l->sites[0].kind,
			  l->sites[0].function);
	else
		text_line(t, "kernel locks: %s in %s", waited, waits);
}

void locks_text(const struct report *r, struct text_lines *t)
{
	for (size_t i = 0; i < r->locks.ndeadlocks; i++)
		tell_deadlock(&r->locks.deadlocks[i], t);
	for (size_t i = 0; i < r->locks.norders && i < 3; i++)
		tell_order(&r->locks.orders[i], t);
	if (r->locks.has_order && !r->locks.norders)
		text_line(t, "lock order: no two locks were taken in both orders (%llu pairs seen)",
			  (unsigned long long)r->locks.pairs);
	tell_futexes(r, t);
	tell_kernel(r, t);
	if (r->locks.rcu_stalls)
		text_line(t, "RCU: the kernel warned of %llu stalls, of the whole system",
			  (unsigned long long)r->locks.rcu_stalls);
}
