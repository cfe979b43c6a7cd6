/* SPDX-License-Identifier: BSD-2-Clause */
/* What a call instruction of x86-64 calls; see elf_symbols.h. */
#include <gelf.h>
#include <string.h>

#include "code_image.h"
#include "elf_symbols.h"
#include "elf_private.h"

static uint64_t relative(uint64_t after, const uint8_t *displacement)
{
	int32_t d;

	memcpy(&d, displacement, sizeof(d));
	return after + (uint64_t)(int64_t)d;
}

/* The symbol that the dynamic linker puts into a slot of the GOT. */
static const char *name_in(const struct elf_symbols *s, Elf_Scn *section, const GElf_Shdr *header,
			   uint64_t slot)
{
	Elf_Scn *symbols = elf_getscn(s->elf, header->sh_link);
	Elf_Data *data = code_image_data(section), *names;
	size_t n = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	GElf_Shdr table;
	GElf_Rela rela;
	GElf_Sym sym;

	names = code_image_data(symbols);
	if (!names || !gelf_getshdr(symbols, &table) ||
	    !code_image_data(elf_getscn(s->elf, table.sh_link)))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (gelf_getrela(data, (int)i, &rela) && rela.r_offset == slot &&
		    gelf_getsym(names, (int)GELF_R_SYM(rela.r_info), &sym))
			return elf_strptr(s->elf, table.sh_link, sym.st_name);
	return NULL;
}

static const char *slot_name(const struct elf_symbols *s, uint64_t slot)
{
	Elf_Scn *section = NULL;
	const char *name = NULL;
	GElf_Shdr header;

	while (!name && (section = elf_nextscn(s->elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA)
			name = name_in(s, section, &header, slot);
	return name && *name ? name : NULL;
}

/* A stub of the PLT: [endbr64] [bnd] jmp *displacement(%rip) */
static const char *stub_name(const struct elf_symbols *s, uint64_t stub)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	uint8_t code[11];
	size_t at = 0;

	if (!elf_symbols_read(s, stub, code, sizeof(code)))
		return NULL;
	if (!memcmp(code, endbr, sizeof(endbr)))
		at = sizeof(endbr);
	if (code[at] == 0xf2)
		at++;
	if (at + 6 > sizeof(code) || code[at] != 0xff || code[at + 1] != 0x25)
		return NULL;
	return slot_name(s, relative(stub + at + 6, code + at + 2));
}

const char *elf_symbols_called(const struct elf_symbols *s, uint64_t return_address)
{
	struct elf_symbol symbol;
	uint8_t code[6];
	uint64_t target;

	if (!elf_symbols_read(s, return_address - sizeof(code), code, sizeof(code)))
		return NULL;
	if (code[0] == 0xff && code[1] == 0x15) /* call *displacement(%rip) */
		return slot_name(s, relative(return_address, code + 2));
	if (code[1] != 0xe8) /* call displacement */
		return NULL;
	target = relative(return_address, code + 2);
	if (elf_symbols_find(s, ELF_FUNCTION, target, &symbol) && symbol.value == target)
		return symbol.name;
	return stub_name(s, target);
}
