/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The embedded BPF objects (bpf/dwell.bpf.c, built twice), opened for this kernel. What libbpf
 * would look up in the kernel's BTF, one name at a time, is looked up here first: it is most
 * of what loading costs in user space.
 */
#ifndef DWELL_IMAGE_H
#define DWELL_IMAGE_H

#include <bpf/libbpf.h>
#include <stdbool.h>

/*
 * The object, opened, with no program chosen; NULL and errno when it cannot be. hash: the one
 * that keys state by task address.
 */
struct bpf_object *image_open(bool hash);
/* Makes ready what image_open() needs, so that two threads may open. 0 or -errno. */
int image_prepare(bool hash);
/*
 * Called once, by this thread, as libbpf comes to the first program of the object that this
 * thread loads: the maps are made then. (For a program of type tracing; else it is not.)
 */
void image_on_first_program(void (*call)(void *ctx), void *ctx);
/* Attaches a program of it to its hook; what libbpf_get_error() knows. Not for iterators. */
struct bpf_link *image_attach(struct bpf_program *prog);
/* Gives back what opening and loading needed; the next one makes it again. */
void image_release(void);

#endif
