// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * stacks: the code behind the time, on and off the CPU.
 *
 * Hooks: sched_switch and sched_waking in the ledger's programs, sys_exit in syscalls'
 *        (offcpu.bpf.h); a perf event on each CPU (oncpu.bpf.h). Cost: a switch away a look at
 *        the saved registers; a sample, by default at most one a millisecond that a thread waits,
 *        two walks.
 * Keeps: stacks_rows, emptied by user space; tells each stack once through `events`.
 */
#include "map_hooks.bpf.h"
#include "oncpu.bpf.h"
#include "waits.bpf.h"
