/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * System calls that other probes want to see: sys_exit has one program (a second would cost
 * every call 60 ns here), which calls the function of each probe that has a role in the call.
 * Native calls only; each probe has its lines.
 */
#ifndef DWELL_SYSCALLS_ROLES_H
#define DWELL_SYSCALLS_ROLES_H

#include <linux/types.h>

enum call_role {
	ROLE_IO = 1,
	ROLE_NETWORK = 2,
	ROLE_LOCKS = 4,
	ROLE_STACKS = 8,
};

#endif
