/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of system calls, io_uring operations and errors, from tables that gen-names.sh
 * makes of the build machine's headers; and the class of each system call.
 *
 * Limits: a number that is newer than those headers has no name; the labels give
 * "syscall_N" and "op_N" for it.
 */
#ifndef DWELL_SYSCALLS_NAMES_H
#define DWELL_SYSCALLS_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "syscalls.h"

/* Classes of contracts/denet.md, in its order. */
enum syscall_class {
	CLASS_FILE_IO,
	CLASS_MEMORY,
	CLASS_PROCESS,
	CLASS_NETWORK,
	CLASS_TIME,
	CLASS_IPC,
	CLASS_SECURITY,
	CLASS_SIGNAL,
	CLASS_SYSTEM,
	CLASS_OTHER,
	SYSCALL_CLASSES
};

#define CALL_LABEL_LEN 40

/* Native calls. NULL: the headers have no such number. */
const char *syscall_name(int nr);
/* -1: no such name. */
int syscall_number(const char *name);
/* Highest native number that has a name. */
int syscall_max(void);

/* Of either calling convention; NULL when unknown. x32 numbers come without their bit. */
const char *syscall_abi_name(enum syscall_abi abi, uint32_t nr);
int syscall_abi_max(enum syscall_abi abi);
/* What is printed for a call: its name, or "syscall_N"; a foreign one "i386:syscall_N". */
const char *syscall_label(enum syscall_abi abi, uint32_t nr, char buf[static CALL_LABEL_LEN]);
/* What is printed for an io_uring opcode: "readv", or "op_N". */
const char *uring_label(uint32_t op, char buf[static CALL_LABEL_LEN]);
/* "ENOENT", also the kernel's own such as "ERESTARTSYS"; else "errno_N"; 0 (not told): "other". */
const char *errno_label(int err, char buf[static CALL_LABEL_LEN]);

/* By name, so that it holds on any architecture; CLASS_OTHER for NULL and the unknown. */
enum syscall_class syscall_class(const char *name);
const char *syscall_class_name(enum syscall_class class);

#endif
