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
/* Gives back what opening and loading needed; the next one makes it again. */
void image_release(void);

#endif
