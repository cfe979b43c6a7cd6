/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts from the running kernel's BTF, which is read when first asked and kept until
 * kernel_btf_release().
 */
#ifndef DWELL_KERNEL_BTF_H
#define DWELL_KERNEL_BTF_H

#include <stdbool.h>
#include <stdint.h>

struct raw_btf;

/* Empty when the kernel has none: nothing is found in it. */
const struct raw_btf *kernel_btf(void);
/* Some megabytes, which are not needed once all is attached; asked again, it is read again. */
void kernel_btf_release(void);

/*
 * Numbers in the kernel's BTF, 0 when the kernel has no such thing: of a function, as fentry
 * and iterators attach to; of a tracepoint, as tp_btf does.
 */
uint32_t kernel_btf_function(const char *name);
uint32_t kernel_btf_tracepoint(const char *name);

/* Bytes from a CPU's `runqueues` to its preempt count; 0 when BTF does not tell (bpf/irq.bpf.h). */
long long kernel_btf_preempt_delta(void);
/* Does it keep interrupts' or the host's time out of a thread's (rq->clock_task)? */
bool kernel_btf_has_stolen(void);
/* Does it let us attach fentry programs at all? Tried once. */
bool kernel_btf_can_fentry(void);
/* How many arguments io_uring_complete has for a program; they changed (072d37b53be4). */
int kernel_btf_uring_complete_args(void);
/* Number of the bit of io_kiocb.flags that marks a multishot request; -1: not known. */
int kernel_btf_uring_multishot(void);

#endif
