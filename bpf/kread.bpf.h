/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading kernel memory through a pointer that the verifier knows nothing of. Where the
 * kernel has bpf_rdonly_cast (a35b9af4ec2c, 6.2) the read is a plain load that may fault
 * (1 ns); else it is a helper call (20 ns). User space sets have_rdonly_cast from BTF; as
 * it is a constant, the verifier drops the other branch.
 */
#ifndef DWELL_KREAD_BPF_H
#define DWELL_KREAD_BPF_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kread.h"

static void *(*const kread_cast)(void *obj, __u32 btf_id) = (void *)KREAD_CAST;

const volatile __u32 have_rdonly_cast SEC(".rodata.kread") = 0;

/* clang-format off: what it makes of statement expressions nobody can read */
/* A field of *ptr; ptr may be wild, the value is then 0. */
#define KREAD(ptr, field)                                                                          \
	({                                                                                         \
		typeof((ptr)->field) __value;                                                      \
		if (have_rdonly_cast)                                                              \
			__value =                                                                  \
				((typeof(ptr))kread_cast((void *)(ptr),                            \
							 bpf_core_type_id_kernel(typeof(*(ptr))))) \
					->field;                                                   \
		else                                                                               \
			__value = BPF_CORE_READ((ptr), field);                                     \
		__value;                                                                           \
	})

/*
 * The same for a pointer that the verifier does know. It would take a plain load too, but
 * where that gives another pointer, a kernel with btf_nested_type_is_trusted() (not yet in
 * 6.2, in 6.5) looks through all of its BTF: 1 ms a load, each time the verifier comes by.
 */
#define KREAD_KNOWN(ptr, field)                                                                    \
	({                                                                                         \
		typeof((ptr)->field) __known;                                                      \
		if (have_rdonly_cast)                                                              \
			__known =                                                                  \
				((typeof(ptr))kread_cast((void *)(ptr),                            \
							 bpf_core_type_id_kernel(typeof(*(ptr))))) \
					->field;                                                   \
		else                                                                               \
			__known = (ptr)->field;                                                    \
		__known;                                                                           \
	})
/* clang-format on */

#endif
