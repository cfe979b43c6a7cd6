/* SPDX-License-Identifier: BSD-2-Clause */
/* A live process of the target, as the engine (from BPF) or a walk of /proc knows it. */
#ifndef DWELL_MEMBER_H
#define DWELL_MEMBER_H

#include <stdint.h>
#include <sys/types.h>

struct proc_member {
	pid_t pid, ppid;
	uint64_t start_ns; /* as its source gives it; 0: not known */
	char comm[16];
};

#endif
