// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * empty: programs on dwell's hooks that do nothing; what they cost is what no tool on
 * these hooks can avoid. Loaded by empty.c.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EMPTY(event)                                                                               \
	SEC("tp_btf/" #event)                                                                      \
	int event(void *ctx)                                                                       \
	{                                                                                          \
		return 0;                                                                          \
	}

EMPTY(sched_switch)
EMPTY(sched_waking)
EMPTY(sys_exit)
EMPTY(task_newtask)
EMPTY(sched_process_exec)
EMPTY(sched_process_exit)
EMPTY(contention_begin)
EMPTY(contention_end)
EMPTY(hrtimer_expire_entry)
EMPTY(hrtimer_expire_exit)
EMPTY(timer_expire_entry)
EMPTY(timer_expire_exit)
EMPTY(softirq_entry)
EMPTY(softirq_exit)

/* The same, with one reading of the clock: what no tool can avoid that tells times. */
__u64 clock;

#define CLOCK(event)                                                                               \
	SEC("tp_btf/" #event)                                                                      \
	int event##_clock(void *ctx)                                                               \
	{                                                                                          \
		clock = bpf_ktime_get_ns();                                                        \
		return 0;                                                                          \
	}

CLOCK(sched_switch)
CLOCK(sched_waking)
CLOCK(softirq_entry)
CLOCK(softirq_exit)
