/* SPDX-License-Identifier: BSD-2-Clause */
/* An ELF file that is open, for the files of src/symbol/ alone. */
#ifndef DWELL_ELF_PRIVATE_H
#define DWELL_ELF_PRIVATE_H

#include <libelf.h>

struct elf_symbols {
	int fd;
	Elf *elf;
};

#endif
