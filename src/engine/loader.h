/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads an object's programs by two threads. Most of what a start takes is the kernel's check
 * of each program, and libbpf loads one after the other; so a second object of the same bytes
 * takes some of the first one's programs and uses its maps.
 */
#ifndef DWELL_LOADER_H
#define DWELL_LOADER_H

#include <bpf/libbpf.h>
#include <stdbool.h>

struct loader;

/* Starts to open the second object; NULL: there is but one CPU, or no memory. */
struct loader *loader_begin(bool hash);
/* The second object will load `prog`, a chosen program of obj, which then does not. */
void loader_move(struct loader *l, struct bpf_object *obj, struct bpf_program *prog);
/*
 * Loads both; 0 or the first -errno. *other: the second object, NULL when no program was moved
 * or the load failed. `l` is gone then. NULL: loads obj alone.
 */
int loader_load(struct loader *l, struct bpf_object *obj, struct bpf_object **other);
/* Without loading; NULL is fine. */
void loader_drop(struct loader *l);

#endif
