/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts from the running kernel's BTF, which is parsed once, when first asked. */
#ifndef DWELL_KERNEL_BTF_H
#define DWELL_KERNEL_BTF_H

#include <stdbool.h>

/* Bytes from a CPU's `runqueues` to its preempt count; 0 when BTF does not tell (bpf/irq.bpf.h). */
long long kernel_btf_preempt_delta(void);
/* Has the kernel the kfunc that makes any pointer readable (bpf/kread.bpf.h)? */
bool kernel_btf_has_rdonly_cast(void);
/* Does it keep interrupts' or the host's time out of a thread's (rq->clock_task)? */
bool kernel_btf_has_stolen(void);
/* Has the kernel a function of that name, to which fentry could attach? */
bool kernel_btf_has_function(const char *name);
/* Does it let us attach fentry programs at all? Tried once. */
bool kernel_btf_can_fentry(void);
/* Has the kernel a tracepoint of that name, for a tp_btf program? */
bool kernel_btf_has_tracepoint(const char *name);
/* How many arguments io_uring_complete has for a program; they changed (072d37b53be4). */
int kernel_btf_uring_complete_args(void);
/* Number of the bit of io_kiocb.flags that marks a multishot request; -1: not known. */
int kernel_btf_uring_multishot(void);

#endif
