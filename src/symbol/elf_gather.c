/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols that can be functions; see elf_gather.h. */
#include "elf_gather.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

/* A hostile file's names are compared no further: there may be a million long ones. */
#define UNDERSCORES_MAX 64
#define COMPARED_MAX 256

static unsigned underscores(const struct elf_function *f)
{
	const char *name = f->name;
	unsigned n = 0;

	/* a mangled name begins with one, which says nothing */
	if (f->len > 2 && name[0] == '_' && strchr("ZRD", name[1]))
		return 0;
	while (n < UNDERSCORES_MAX && name[n] == '_')
		n++;
	return n;
}

int elf_function_merit(const struct elf_function *a, const struct elf_function *b)
{
	unsigned x = underscores(a), y = underscores(b);
	int order;

	if (a->typed != b->typed)
		return a->typed ? -1 : 1;
	if (a->local != b->local)
		return a->local ? 1 : -1;
	if (x != y)
		return x < y ? -1 : 1;
	if (a->weak != b->weak)
		return a->weak ? 1 : -1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	order = memcmp(a->name, b->name, a->len < COMPARED_MAX ? a->len : COMPARED_MAX);
	return order ? order : a->suffix - b->suffix;
}

bool elf_gather_add(struct elf_gather *g, const struct elf_function *f)
{
	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 1024;
		struct elf_function *list;

		g->cut = room > ELF_SYMBOLS_MAX;
		if (g->cut)
			return false;
		list = reallocarray(g->list, room, sizeof(*list));
		if (!list)
			return false;
		g->list = list;
		g->room = room;
	}
	g->list[g->n++] = *f;
	return true;
}

void elf_gather_free(struct elf_gather *g)
{
	free(g->list);
	memset(g, 0, sizeof(*g));
}

static bool may_be_function(const GElf_Sym *sym)
{
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
	case STT_NOTYPE: /* written in assembler */
		return sym->st_shndx != SHN_UNDEF && sym->st_shndx != SHN_COMMON;
	default: /* data, sections, thread-local ones: the value is no address of code */
		return false;
	}
}

/* Where the section of a symbol ends; 0: it has none. */
static uint64_t section_end(Elf *elf, size_t index)
{
	Elf_Scn *section = index && index < SHN_LORESERVE ? elf_getscn(elf, index) : NULL;
	GElf_Shdr header;

	if (!section || !gelf_getshdr(section, &header))
		return 0;
	return header.sh_addr + header.sh_size;
}

static void take(struct elf_gather *g, Elf *elf, const GElf_Sym *sym, const char *name, size_t left)
{
	int type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
	size_t len = strnlen(name, left < ELF_NAME_MAX ? left : ELF_NAME_MAX);
	const char *version = memchr(name, '@', len);
	struct elf_function f = {
		.start = sym->st_value,
		.end = sym->st_size ? sym->st_value + sym->st_size : 0,
		.name = name,
		.suffix = type == STT_GNU_IFUNC ? ELF_IFUNC : ELF_PLAIN,
		.typed = type != STT_NOTYPE,
		.local = bind == STB_LOCAL,
		.weak = bind == STB_WEAK,
	};

	if (version && version != name)
		len = (size_t)(version - name);
	f.len = (uint16_t)len;
	if (!len || len == left || f.end < (f.end ? f.start : 0))
		return;
	if (!f.end) {
		f.limit = section_end(elf, sym->st_shndx);
		if (f.limit <= f.start)
			return;
	}
	elf_gather_add(g, &f);
}

static void gather_table(struct elf_gather *g, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Scn *strings = elf_getscn(elf, header->sh_link);
	Elf_Data *symbols, *names;
	GElf_Shdr shape;
	GElf_Sym sym;
	size_t n;

	if (!strings || !gelf_getshdr(strings, &shape) || shape.sh_type != SHT_STRTAB ||
	    shape.sh_size > ELF_SECTION_MAX || header->sh_size > ELF_SECTION_MAX)
		return;
	symbols = elf_getdata(section, NULL);
	names = elf_rawdata(strings, NULL);
	if (!symbols || !names || !names->d_buf || !header->sh_entsize)
		return;
	n = header->sh_size / header->sh_entsize;
	for (size_t i = 0; i < n && i <= INT32_MAX; i++) {
		if (!gelf_getsym(symbols, (int)i, &sym))
			break;
		if (may_be_function(&sym) && sym.st_name < names->d_size &&
		    code_image_is_code(g->image, sym.st_value))
			take(g, elf, &sym, (const char *)names->d_buf + sym.st_name,
			     names->d_size - sym.st_name);
	}
}

void elf_gather_symbols(struct elf_gather *g, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
			gather_table(g, elf, section, &header);
}
