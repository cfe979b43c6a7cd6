/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of the kernel's BTF the types that an object's BTF names, with what lies inside them: BTF of
 * its own, of some hundred types. libbpf looks through all types of the BTF it relocates
 * against once for each type of the object: in the kernel's own that takes 45 ms here.
 * What a pointer points to is left out (void): no relocation goes through a pointer.
 */
#ifndef DWELL_BTF_SLICE_H
#define DWELL_BTF_SLICE_H

#include <stddef.h>

struct raw_btf;

/* Bytes of it, which the caller frees; NULL and errno. */
void *btf_slice(const struct raw_btf *object, const struct raw_btf *kernel, size_t *size);
/* The name without its flavour ("___" and what follows): how long it is. */
size_t btf_slice_name_len(const char *name);

#endif
