/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ledger's records, shared by ledger.bpf.c and ledger.c. A thread is in exactly one
 * state at any time; `ns` of all states add up to the time since born_ns.
 */
#ifndef DWELL_LEDGER_H
#define DWELL_LEDGER_H

#include <linux/types.h>
#include "record.h"

enum ledger_state {
	STATE_ON_CPU,
	STATE_RUNQUEUE,  /* woken or new, waiting for a CPU */
	STATE_PREEMPTED, /* was running, still could */
	STATE_BLOCKED,   /* from here on: blocked, by cause */
	STATE_DISK = STATE_BLOCKED,
	STATE_PAGE_FAULT,
	STATE_FUTEX,
	STATE_PIPE,
	STATE_SOCKET,
	STATE_POLL,
	STATE_SLEEP,
	STATE_CHILD,
	STATE_SIGNAL,
	STATE_IPC,
	STATE_TTY,
	STATE_IO_URING,
	STATE_KERNEL_LOCK,
	STATE_STOPPED,
	STATE_OTHER,
	LEDGER_STATES
};

struct ledger_stat {
	__u64 ns;
	__u64 count;
	__u64 max_ns;
	__u64 min_ns;
};

/* What a blocked thread waits on: kind says how to read a and b. */
enum object_kind {
	OBJECT_NONE,
	OBJECT_FUTEX,  /* a: user address */
	OBJECT_FILE,   /* a: inode number, b: device (kernel dev_t) */
	OBJECT_PIPE,   /* a: inode number */
	OBJECT_SOCKET, /* a: inode number, b: device */
	OBJECT_TTY,    /* a: inode number, b: rdev */
	OBJECT_KLOCK,  /* a: kernel address of the lock */
	OBJECT_SYSV,   /* a: ID of a set of System V semaphores */
};

struct object_key {
	__u64 a;
	__u32 b;
	__u32 proc_id;
	__u8 kind;  /* enum object_kind */
	__u8 state; /* enum ledger_state */
	__u16 pad;
	__u32 pad2;
};

#define OBJECT_NAME_LEN 384

/* Named once, when the object is first seen; the times live in the threads' records. */
struct object_name {
	__u16 family;       /* OBJECT_SOCKET: AF_* */
	__u16 lport, rport; /* host order */
	__u16 protocol;     /* IPPROTO_* */
	__u8 laddr[16], raddr[16];
	__u32 len;                  /* bytes of text used */
	__u32 cut;                  /* 1: a path whose beginning found no room */
	char text[OBJECT_NAME_LEN]; /* path components, leaf first, each ended by NUL */
};

enum waker_kind {
	WAKER_THREAD,
	WAKER_TIMER, /* hrtimer or timer wheel expiry */
	WAKER_IRQ,   /* hard or soft interrupt: current was a bystander */
};

struct waker_key {
	__u32 sleeper_thread_id;
	__u32 waker_tid; /* global tid of the waking thread; 0 unless WAKER_THREAD */
	__u8 state;
	__u8 kind; /* enum waker_kind */
	__u16 pad;
};

struct object_stat {
	struct object_key key;
	struct ledger_stat stat;
};

struct waker_stat {
	struct waker_key key;
	__u32 pad;
	__u64 count;
	__u64 ns; /* time the sleeper had been blocked when it was woken */
};

#define LEDGER_OBJECTS 4 /* most recent objects and wakers kept in the thread's own record */
#define LEDGER_WAKERS 4
#define HIST_NONE 0xffffffffU    /* no block to be had: the shared one is used */
#define HIST_UNASKED 0xfffffffeU /* state not met yet */
#define RACE_NS 20000            /* a wake this short before the switch was for it */

/* Where the user's stack of a stay off the CPU comes from. */
enum stack_user {
	USER_UNKNOWN,   /* it waited before the attach, and not in a call */
	USER_SKIPPED,   /* preempted soon after a preemption whose stack was read */
	USER_TAKEN,     /* `user` has it */
	USER_AT_RETURN, /* it is to be taken when the call returns */
	USER_BORN,      /* ditto, by which a new thread begins */
};

/*
 * What the probe stacks keeps of a thread, here because the account is at hand at each switch;
 * see probes/stacks/offcpu.bpf.h. A stay off the CPU is a block or a preemption, then perhaps
 * waiting for a CPU: ns[0] and ns[1].
 */
struct stack_account {
	__u64 debt_ns[2];   /* time off the CPU that no sample stands for yet; preempted */
	__u64 read_ns;      /* when the user's stack was last read at a preemption */
	__u64 ns[2];        /* what the sample of the present stay stands for */
	__u32 count[2];     /* of it; both 0: it is none */
	__u64 user, python; /* its stacks, by hash */
	__u64 kernel;
	__u64 waker, waker_kernel; /* of who ended its block */
	__u64 ip, sp;              /* the user's, in the call that waits */
	__u32 state;               /* of ns[0] */
	__u32 user_from;           /* enum stack_user */
};

/* Account of one thread; the value of the task storage `ledger_threads`. */
struct ledger_thread {
	__u64 since_ns; /* when the present state began */
	__u64 woken_ns; /* last wake that found the thread still on its CPU */
	__u64 lock;     /* kernel lock being waited for, from contention_begin */
	/*
	 * Its stays on a CPU again, by the clock that the kernel charges threads with, read at
	 * the same switches: from rq->clock_task as it came to se.exec_start as it left.
	 */
	__u64 clock_ns, came;
	/*
	 * Of the time on a CPU: what the kernel does not count as the thread's, because an
	 * interrupt or the machine's host had the CPU (rq->clock less rq->clock_task, where
	 * the kernel is built to tell). gap_ns: that difference when the thread came.
	 */
	__u64 stolen_ns, gap_ns;
	__u64 base_exec_ns;  /* sum_exec_runtime when the account began */
	__u64 base_switches; /* nvcsw + nivcsw, ditto */
	__u64 base_utime_ns, base_stime_ns;
	__u64 switches;  /* times switched away, counted by us */
	__u64 voluntary; /* of those: blocked */
	struct target who;
	struct ledger_stat states[LEDGER_STATES];
	__u32 hist[LEDGER_STATES]; /* index into ledger_hists, or HIST_NONE */
	__u32 state;
	__u32 seq;                     /* odd while being written */
	__u32 object;                  /* index into objects of the present block, + 1 */
	__u32 victim, waker_victim;    /* slots to be given away next */
	__u32 ended;                   /* the last switch is past; a zombie keeps its record */
	__u32 last_state, last_object; /* of the last block in a system call */
	struct object_stat objects[LEDGER_OBJECTS];
	struct waker_stat wakers[LEDGER_WAKERS];
	struct stack_account stack;
};

/* Totals of threads whose end the ring refused. */
struct ledger_spill {
	__u64 threads, lifetime_ns, switches, voluntary;
	struct ledger_stat states[LEDGER_STATES];
};

/* A waker that need not be a target; key: its global tid. */
struct waker_name {
	__u32 tid, pid; /* as dwell sees them; 0: not visible there */
	char comm[COMM_LEN];
};

struct waker_sum {
	__u64 count, ns;
};

struct ledger_other {
	struct ledger_stat objects;
	struct waker_sum wakers;
};

/* Of each ended thread (unpacked from the ring), and of each living one by the iterator. */
struct ledger_final {
	struct event_head head;
	__u64 now_ns;
	__u64 exec_ns;         /* se.sum_exec_runtime since base_exec_ns */
	__u64 kernel_switches; /* nvcsw + nivcsw since base_switches */
	__u64 utime_ns, stime_ns;
	__u32 alive; /* 1: from the iterator */
	__u32 cpu;   /* alive: where it is, or was last */
	char comm[COMM_LEN];
	struct ledger_thread thread;
};

/*
 * As a struct ledger_final goes through the ring: only the states, objects and wakers that
 * were used follow, in this order, each array as long as its number says.
 */
struct ledger_packed {
	struct event_head head;
	__u64 now_ns, exec_ns, kernel_switches, utime_ns, stime_ns;
	__u64 since_ns, clock_ns, stolen_ns, switches, voluntary;
	__u64 base_utime_ns, base_stime_ns;
	char comm[COMM_LEN];
	__u32 nstates, nobjects, nwakers, pad;
};

struct packed_state {
	__u32 state, hist;
	struct ledger_stat stat;
};

#define LEDGER_PACKED_MAX                                                                          \
	(sizeof(struct ledger_packed) + LEDGER_STATES * sizeof(struct packed_state) +              \
	 LEDGER_OBJECTS * sizeof(struct object_stat) + LEDGER_WAKERS * sizeof(struct waker_stat))

_Static_assert(sizeof(struct packed_state) == 40, "struct packed_state has holes");
_Static_assert(sizeof(struct ledger_packed) == 184, "struct ledger_packed has holes");
_Static_assert(sizeof(struct object_key) == 24, "struct object_key has holes");
_Static_assert(sizeof(struct object_name) == 432, "struct object_name has holes");
_Static_assert(sizeof(struct waker_stat) == 32, "struct waker_stat has holes");
_Static_assert(sizeof(struct ledger_thread) % 8 == 0, "struct ledger_thread has a tail");

#endif
