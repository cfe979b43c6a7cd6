/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the locks probe's user side. */
#ifndef DWELL_LOCKS_USER_H
#define DWELL_LOCKS_USER_H

#include "harvest.h"
#include "identity.h"
#include "probe.h"
#include "session.h"
#include "uprobes.h"

struct text_lines;

#define LOCK_ROWS 50 /* of each table in a report; the rest is summed in one named other */

struct locks_data {
	struct modules *modules;
	bool has_kernel, has_stalls;
	struct harvest futexes, sysv, sites; /* tables by process, with what the dead have left */
	struct uprobe_links order_links;     /* of --lock-order */
};

extern const struct harvest_class locks_futexes_class, locks_sysv_class, locks_sites_class;

/* Tables: each fills its part of r->locks from the kernel side's map. */
void locks_table(struct probe *p, struct report *r);      /* futexes, by address */
void locks_sysv_table(struct probe *p, struct report *r); /* System V semaphores */
void locks_sites_table(struct probe *p, struct report *r);
void locks_orders_table(struct probe *p, struct report *r);
/* Threads of the ledger's list of blocked ones that wait for each other. */
void locks_deadlocks(struct probe *p, struct report *r);

/* Facts of a lock: as the kernel side marked it, else from /proc if its process lives. */
bool locks_facts(struct probe *p, struct lock_facts *facts, uint32_t proc_id, uint64_t address,
		 uint32_t waiter);
/* PID, name of a process; zeroes when it is forgotten. */
void locks_who(struct probe *p, uint32_t proc_id, uint32_t *pid, char comm[16]);
/* Whether the process of that number lives: its PID, else 0. */
uint32_t locks_living(struct probe *p, uint32_t proc_id);

/* --lock-order: before load, after attach, at the end. */
int order_configure(struct probe *p, struct bpf_object *obj);
int order_start(struct probe *p);
void order_stop(struct probe *p);

void locks_text(const struct report *r, struct text_lines *t);
extern const struct shape locks_shape[], locks_tick_shape[];
bool locks_reported(const struct report *r);

#endif
