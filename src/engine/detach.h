/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes programs off their hooks. The kernel lets a hook go only when no CPU can be in its
 * program, which takes 8 to 20 ms for each of some hooks, and for every hook when another
 * dwell has programs there. Between detach_begin() and detach_end() that is not waited for.
 */
#ifndef DWELL_DETACH_H
#define DWELL_DETACH_H

struct bpf_link;

/* The measurement is over: what is let go of from now on may go when the kernel gets to it. */
void detach_begin(void);
/* Fine on NULL. */
void detach_link(struct bpf_link *link);
/* The descriptor of a link; it is closed. */
void detach_fd(int fd);
void detach_end(void);

#endif
