/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The number of a helper that no kernel has. Where the object calls it, user space puts in
 * the call of the kernel's bpf_rdonly_cast (engine/image.c), for libbpf would read all of the
 * kernel's BTF to find that one function.
 */
#ifndef DWELL_KREAD_H
#define DWELL_KREAD_H

#define KREAD_CAST 0x6b726400

#endif
