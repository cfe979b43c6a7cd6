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
EMPTY(irq_work_entry)
EMPTY(irq_work_exit)
EMPTY(local_timer_entry)
EMPTY(local_timer_exit)
EMPTY(rss_stat)
EMPTY(inet_sock_set_state)
EMPTY(tcp_destroy_sock)
EMPTY(tcp_send_reset)
EMPTY(tcp_receive_reset)
EMPTY(mm_filemap_add_to_page_cache)
EMPTY(mm_filemap_fault)
EMPTY(mm_filemap_map_pages)
EMPTY(writeback_dirty_folio)
EMPTY(block_getrq)
EMPTY(block_rq_issue)
EMPTY(block_rq_complete)
EMPTY(block_bio_queue)
EMPTY(block_bio_complete)
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
