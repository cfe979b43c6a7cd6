/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections of an ELF file by name, and its bytes by address; see elf_symbols.h. */
#include "elf_symbols.h"

#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "elf_private.h"

bool elf_symbols_section(const struct elf_symbols *s, const char *name, uint64_t *address)
{
	Elf_Scn *section = NULL;
	size_t names = 0;
	GElf_Shdr header;

	if (elf_getshdrstrndx(s->elf, &names))
		return false;
	while ((section = elf_nextscn(s->elf, section))) {
		const char *found;

		if (!gelf_getshdr(section, &header))
			continue;
		found = elf_strptr(s->elf, names, header.sh_name);
		if (!found || strcmp(found, name) != 0)
			continue;
		*address = header.sh_addr;
		return true;
	}
	return false;
}

bool elf_symbols_read(const struct elf_symbols *s, uint64_t address, void *to, size_t size)
{
	uint64_t offset;

	return elf_symbols_offset(s, address, &offset) &&
	       pread(s->fd, to, size, (off_t)offset) == (ssize_t)size;
}

bool elf_symbols_code(const struct elf_symbols *s, uint64_t *difference)
{
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(s->elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(s->elf, (int)i, &ph) || ph.p_type != PT_LOAD ||
		    !(ph.p_flags & PF_X))
			continue;
		*difference = ph.p_vaddr - ph.p_offset;
		return true;
	}
	return false;
}
