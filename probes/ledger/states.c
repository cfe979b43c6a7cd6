/* SPDX-License-Identifier: BSD-2-Clause */
/* Name and help of each state, in the order of enum ledger_state. */
#include "states.h"

const char *const ledger_state_names[LEDGER_STATES] = {
	[STATE_ON_CPU] = "on_cpu",
	[STATE_RUNQUEUE] = "runqueue",
	[STATE_PREEMPTED] = "preempted",
	[STATE_DISK] = "disk",
	[STATE_PAGE_FAULT] = "page_fault",
	[STATE_FUTEX] = "futex",
	[STATE_PIPE] = "pipe",
	[STATE_SOCKET] = "socket",
	[STATE_POLL] = "poll",
	[STATE_SLEEP] = "sleep",
	[STATE_CHILD] = "child",
	[STATE_SIGNAL] = "signal",
	[STATE_IPC] = "ipc",
	[STATE_TTY] = "tty",
	[STATE_IO_URING] = "io_uring",
	[STATE_KERNEL_LOCK] = "kernel_lock",
	[STATE_STOPPED] = "stopped",
	[STATE_OTHER] = "other",
};

const char *const ledger_state_help[LEDGER_STATES] = {
	[STATE_ON_CPU] = "running on a CPU, in user or kernel mode",
	[STATE_RUNQUEUE] = "woken or new, waiting for a CPU",
	[STATE_PREEMPTED] = "taken off the CPU while it could still run",
	[STATE_DISK] = "blocked on block I/O, or in a regular file's read, write or sync",
	[STATE_PAGE_FAULT] = "blocked in a page fault",
	[STATE_FUTEX] = "blocked on a futex: a lock or condition of user space",
	[STATE_PIPE] = "blocked on a pipe or FIFO",
	[STATE_SOCKET] = "blocked on a socket",
	[STATE_POLL] = "blocked in epoll, poll or select",
	[STATE_SLEEP] = "blocked in the nanosleep family",
	[STATE_CHILD] = "blocked in wait4 or waitid, waiting for a child",
	[STATE_SIGNAL] = "blocked waiting for a signal: pause, sigsuspend, sigtimedwait",
	[STATE_IPC] = "blocked on System V or POSIX queues and semaphores",
	[STATE_TTY] = "blocked on a terminal",
	[STATE_IO_URING] = "blocked waiting for io_uring completions",
	[STATE_KERNEL_LOCK] = "blocked on a lock inside the kernel: mutex, rwsem and the like",
	[STATE_STOPPED] = "stopped by a signal, a tracer or the freezer",
	[STATE_OTHER] = "blocked on something that has no class of its own",
};
