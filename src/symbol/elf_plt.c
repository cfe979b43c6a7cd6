/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stubs of the PLT (x86-64): each jumps through a slot of the GOT, and a relocation says whose
 * address the dynamic linker puts there. Read from the code itself, so that the order of stubs
 * and the kind of PLT (.plt, .plt.sec, .plt.got) do not matter.
 */
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "elf_gather.h"

#define RESOLVED_MAX 256 /* indirect functions of a file, each a pass through the symbols */

struct slot {
	uint64_t at;
	const char *name; /* in the Elf's memory, len bytes */
	size_t len;
};

struct slots {
	struct slot *list;
	size_t n, resolved;
};

static int by_place(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* A slot of an indirect function holds what the function at r_addend chooses. */
static void name_resolved(const struct elf_gather *g, struct slot *slot, uint64_t resolver)
{
	const struct elf_function *best = NULL;

	for (size_t i = 0; i < g->n; i++) {
		const struct elf_function *f = &g->list[i];

		if (f->start == resolver && f->suffix == ELF_IFUNC &&
		    (!best || elf_function_merit(f, best) < 0))
			best = f;
	}
	if (!best)
		return;
	slot->name = best->name;
	slot->len = best->len;
}

static void name_symbol(struct slot *slot, Elf_Data *symbols, Elf_Data *names, uint64_t index)
{
	GElf_Sym sym;
	size_t left;

	if (index > INT32_MAX || !gelf_getsym(symbols, (int)index, &sym) || !sym.st_name ||
	    sym.st_name >= names->d_size)
		return;
	slot->name = (const char *)names->d_buf + sym.st_name;
	left = names->d_size - sym.st_name;
	slot->len = strnlen(slot->name, left < ELF_NAME_MAX ? left : ELF_NAME_MAX);
	if (slot->len == left)
		slot->name = NULL; /* not terminated */
}

static Elf_Data *bounded(Elf *elf, size_t index, GElf_Shdr *header, bool raw)
{
	Elf_Scn *section = elf_getscn(elf, index);
	Elf_Data *data;

	if (!section || !gelf_getshdr(section, header) || header->sh_size > ELF_SECTION_MAX)
		return NULL;
	data = raw ? elf_rawdata(section, NULL) : elf_getdata(section, NULL);
	return data && data->d_buf ? data : NULL;
}

static void add_slots(const struct elf_gather *g, struct slots *slots, Elf *elf, Elf_Scn *section,
		      const GElf_Shdr *header)
{
	GElf_Shdr table, unused;
	Elf_Data *symbols = bounded(elf, header->sh_link, &table, false), *names, *data;
	size_t n = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	struct slot *more;
	GElf_Rela rela;

	names = symbols ? bounded(elf, table.sh_link, &unused, true) : NULL;
	data = elf_getdata(section, NULL);
	if (!data || n > ELF_SYMBOLS_MAX - slots->n) /* of all sections */
		return;
	more = reallocarray(slots->list, slots->n + n + 1, sizeof(*more));
	if (!more)
		return;
	slots->list = more;
	for (size_t i = 0; i < n && gelf_getrela(data, (int)i, &rela); i++) {
		struct slot slot = { .at = rela.r_offset };
		uint64_t type = GELF_R_TYPE(rela.r_info);

		if (type == R_X86_64_IRELATIVE && slots->resolved++ < RESOLVED_MAX)
			name_resolved(g, &slot, (uint64_t)rela.r_addend);
		else if (names && (type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT))
			name_symbol(&slot, symbols, names, GELF_R_SYM(rela.r_info));
		if (slot.name && slot.len)
			slots->list[slots->n++] = slot;
	}
}

static const struct slot *slot_at(const struct slots *slots, uint64_t at)
{
	struct slot key = { .at = at };

	if (!slots->n)
		return NULL;
	return bsearch(&key, slots->list, slots->n, sizeof(*slots->list), by_place);
}

/* The slot that a stub jumps through: [endbr64] [bnd] jmp *displacement(%rip); 0: none. */
static uint64_t jumps_through(const uint8_t *code, size_t size, uint64_t address)
{
	static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	size_t at = 0;
	int32_t displacement;

	if (size >= sizeof(endbr) && !memcmp(code, endbr, sizeof(endbr)))
		at = sizeof(endbr);
	if (at < size && code[at] == 0xf2)
		at++;
	if (at + 6 > size || code[at] != 0xff || code[at + 1] != 0x25)
		return 0;
	memcpy(&displacement, code + at + 2, sizeof(displacement));
	return address + at + 6 + (uint64_t)(int64_t)displacement;
}

static void add_stubs(struct elf_gather *g, const struct slots *slots, const Elf_Data *code,
		      const GElf_Shdr *header)
{
	size_t size = header->sh_entsize == 8 ? 8 : 16;

	for (size_t at = 0; at + size <= code->d_size; at += size) {
		uint64_t start = header->sh_addr + at;
		const uint8_t *bytes = (const uint8_t *)code->d_buf + at;
		const struct slot *slot = slot_at(slots, jumps_through(bytes, size, start));
		struct elf_function f = { .start = start,
					  .end = start + size,
					  .suffix = ELF_PLT,
					  .typed = true,
					  .local = true };

		if (!slot || !code_image_is_code(g->image, start))
			continue;
		f.name = slot->name;
		f.len = (uint16_t)slot->len;
		elf_gather_add(g, &f);
	}
}

static bool is_plt(Elf *elf, size_t strings, const GElf_Shdr *header)
{
	const char *name = elf_strptr(elf, strings, header->sh_name);

	return header->sh_type == SHT_PROGBITS && header->sh_size <= ELF_SECTION_MAX && name &&
	       !strncmp(name, ".plt", 4);
}

void elf_gather_plt(struct elf_gather *g, Elf *elf)
{
	struct slots slots = {};
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t strings;
	GElf_Ehdr ehdr;

	if (!gelf_getehdr(elf, &ehdr) || ehdr.e_machine != EM_X86_64 ||
	    elf_getshdrstrndx(elf, &strings) || !gelf_getshdr(elf_getscn(elf, strings), &header) ||
	    header.sh_size > ELF_SECTION_MAX)
		return;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA &&
		    header.sh_size <= ELF_SECTION_MAX)
			add_slots(g, &slots, elf, section, &header);
	if (slots.n)
		qsort(slots.list, slots.n, sizeof(*slots.list), by_place);
	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *code;

		if (!gelf_getshdr(section, &header) || !is_plt(elf, strings, &header))
			continue;
		code = elf_rawdata(section, NULL);
		if (code && code->d_buf)
			add_stubs(g, &slots, code, &header);
	}
	free(slots.list);
}
