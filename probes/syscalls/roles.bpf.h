/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is called for which call (roles.h), and what it is given. */
#ifndef DWELL_SYSCALLS_ROLES_BPF_H
#define DWELL_SYSCALLS_ROLES_BPF_H

#include <asm/unistd.h>

#include "roles.h"
#include "slot.bpf.h"
#include "syscalls.h"

const volatile struct {
	__u32 latency; /* --syscall-latency; else the verifier drops what it asks for */
	__u32 roles;   /* enum call_role of the probes that are on */
	__u32 timed;   /* of these, whose calls are timed */
} syscalls_cfg SEC(".rodata.syscalls");

/* A system call of a target that has returned; the current task made it. */
struct call_done {
	struct slot_owner who;
	__s64 ret;
	__u64 arg[6];
	__u64 ns; /* how long it took; 0: it was not timed */
	__u32 nr;
	__u32 tid;
};

/* By slot of the call (syscalls.h). */
static const __u8 call_roles[512] SEC(".rodata.roles") = {
	[CALL_SLOTS] = 0, /* no slot, no role */
};

static __always_inline __u32 call_role(__u32 slot)
{
	return call_roles[slot & 511] & syscalls_cfg.roles;
}

static __noinline int call_tell(const struct call_done *call, __u32 roles)
{
	return 0;
}

#endif
