/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is called for which call (roles.h), and what it is given. */
#ifndef DWELL_SYSCALLS_ROLES_BPF_H
#define DWELL_SYSCALLS_ROLES_BPF_H

#include <asm/unistd.h>

#include "file.bpf.h"
#include "locks.h"
#include "roles.h"
#include "running.bpf.h"
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
	__u64 task; /* running_task() */
};

/* The file of the task's descriptor fd; NULL: it has none (any more). */
static __always_inline struct file *call_file(const struct call_done *call, __u32 fd)
{
	return file_of_fd(running_task(call->task), fd);
}

/* By slot of the call (syscalls.h); new calls, from 424 on, stand closer there. */
#define CALL_SLOT(nr) ((nr) < CALLS_LOW ? (nr) : (nr)-CALLS_HIGH_FIRST + CALLS_LOW)

static const __u8 call_roles[512] SEC(".rodata.fixed") = {
	[CALL_SLOTS] = 0, /* no slot, no role */
	[CALL_SLOT(__NR_read)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_readv)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_preadv2)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_recvfrom)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_recvmsg)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_recvmmsg)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_write)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_writev)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_pwritev2)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_sendto)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_sendmsg)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_sendmmsg)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_sendfile)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_splice)] = ROLE_NETWORK | ROLE_IO,
	[CALL_SLOT(__NR_connect)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_accept)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_accept4)] = ROLE_NETWORK,
	[CALL_SLOT(__NR_pread64)] = ROLE_IO,
	[CALL_SLOT(__NR_preadv)] = ROLE_IO,
	[CALL_SLOT(__NR_pwrite64)] = ROLE_IO,
	[CALL_SLOT(__NR_pwritev)] = ROLE_IO,
	[CALL_SLOT(__NR_copy_file_range)] = ROLE_IO,
	[CALL_SLOT(__NR_tee)] = ROLE_IO,
	[CALL_SLOT(__NR_open)] = ROLE_IO,
	[CALL_SLOT(__NR_openat)] = ROLE_IO,
	[CALL_SLOT(__NR_openat2)] = ROLE_IO,
	[CALL_SLOT(__NR_creat)] = ROLE_IO,
	[CALL_SLOT(__NR_close)] = ROLE_IO,
	[CALL_SLOT(__NR_close_range)] = ROLE_IO,
	[CALL_SLOT(__NR_lseek)] = ROLE_IO,
	[CALL_SLOT(__NR_fsync)] = ROLE_IO,
	[CALL_SLOT(__NR_fdatasync)] = ROLE_IO,
	[CALL_SLOT(__NR_syncfs)] = ROLE_IO,
	[CALL_SLOT(__NR_sync_file_range)] = ROLE_IO,
	[CALL_SLOT(__NR_sync)] = ROLE_IO,
	[CALL_SLOT(__NR_msync)] = ROLE_IO,
	[CALL_SLOT(__NR_io_submit)] = ROLE_IO,
	[CALL_SLOT(__NR_io_getevents)] = ROLE_IO,
	[CALL_SLOT(__NR_io_pgetevents)] = ROLE_IO,
	[CALL_SLOT(__NR_futex)] = ROLE_LOCKS,
	[CALL_SLOT(LOCKS_NR_FUTEX_WAITV)] = ROLE_LOCKS,
	[CALL_SLOT(LOCKS_NR_FUTEX_WAKE)] = ROLE_LOCKS,
	[CALL_SLOT(LOCKS_NR_FUTEX_WAIT)] = ROLE_LOCKS,
	[CALL_SLOT(LOCKS_NR_FUTEX_REQUEUE)] = ROLE_LOCKS,
	[CALL_SLOT(__NR_semop)] = ROLE_LOCKS,
	[CALL_SLOT(__NR_semtimedop)] = ROLE_LOCKS,
	[CALL_SLOT(__NR_mmap)] = ROLE_STACKS,
	[CALL_SLOT(__NR_munmap)] = ROLE_STACKS,
	[CALL_SLOT(__NR_mremap)] = ROLE_STACKS,
	[CALL_SLOT(__NR_mprotect)] = ROLE_STACKS,
	[CALL_SLOT(__NR_pkey_mprotect)] = ROLE_STACKS,
};

static __always_inline __u32 call_role(__u32 slot)
{
	return call_roles[slot & 511] & syscalls_cfg.roles;
}

#include "../io/calls.bpf.h"
#include "../locks/calls.bpf.h"
#include "../network/calls.bpf.h"
#include "../stacks/calls.bpf.h"

static __always_inline int call_tell(struct call_done *call, __u32 roles)
{
	/* most reads and writes are of files: one look at the descriptor is enough */
	if (roles & ROLE_IO && io_call(call))
		roles &= ~ROLE_NETWORK;
	if (roles & ROLE_NETWORK)
		network_call(call);
	if (roles & ROLE_LOCKS)
		locks_call(call);
	if (roles & ROLE_STACKS)
		stacks_call(call);
	return 0;
}

#endif
