// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The whole kernel side as one object: libbpf reads the kernel's BTF once for it, and maps
 * are shared as variables are. Which programs and maps of it are loaded, the engine decides
 * (engine/source.c): those of the probes that are wanted, by the source in use.
 */
#include "target.bpf.c"
#include "../probes/ledger/ledger.bpf.c"
#include "../probes/syscalls/syscalls.bpf.c"
#include "../probes/network/network.bpf.c"
#include "../probes/memory/memory.bpf.c"
#include "../probes/io/io.bpf.c"
#include "../probes/cpu/cpu.bpf.c"
#include "../probes/locks/locks.bpf.c"
#include "../probes/stacks/stacks.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
