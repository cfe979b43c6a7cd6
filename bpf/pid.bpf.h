/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Numbers of threads and processes as dwell's own PID namespace has them. */
#ifndef DWELL_PID_BPF_H
#define DWELL_PID_BPF_H

#include "target.bpf.h"

#define PID_LEVELS 32 /* MAX_PID_NS_LEVEL, include/linux/pid_namespace.h */

/*
 * The number of a struct pid in dwell's PID namespace, 0 when it has none there. Global,
 * so that the verifier walks the loop once and not at each call.
 */
__noinline int pid_seen(__u64 address)
{
	struct pid *pid = (void *)address;
	struct upid *upid = (void *)pid + bpf_core_field_offset(struct pid, numbers);
	__u32 level = BPF_CORE_READ(pid, level);

	for (__u32 i = 0; i <= PID_LEVELS; i++) {
		if (i > level)
			break;
		if (BPF_CORE_READ(upid, ns, ns.inum) == cfg.pidns_inum)
			return BPF_CORE_READ(upid, nr);
		upid = (void *)upid + bpf_core_type_size(struct upid);
	}
	return 0;
}

static __always_inline __u32 tid_seen(task_ref task)
{
	return pid_seen((__u64)BPF_CORE_READ(task, thread_pid));
}

static __always_inline __u32 tgid_seen(task_ref task)
{
	return pid_seen((__u64)BPF_CORE_READ(task, group_leader, thread_pid));
}

#endif
