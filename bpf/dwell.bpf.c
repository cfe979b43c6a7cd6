// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The whole kernel side as one object: libbpf reads the kernel's BTF once for it, and maps
 * are shared as variables are. Which programs and maps of it are loaded, the engine decides
 * (engine/source.c): those of the probes that are wanted, by the source in use.
 */
#include "target.bpf.c"
#include "../probes/ledger/ledger.bpf.c"
#include "../probes/syscalls/syscalls.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
