/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols of an ELF file by libelf; see elf_symbols.h. */
#include "elf_symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "code_image.h"
#include "elf_private.h"

#define PAGE 4096ULL

void elf_symbols_close(struct elf_symbols *s)
{
	if (!s)
		return;
	if (s->elf)
		elf_end(s->elf);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

struct elf_symbols *elf_symbols_open(const char *path, uint64_t inode)
{
	struct elf_symbols *s;
	struct stat st;

	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	/* a path may name a pipe or a device by now: do not wait for, or wake, anything */
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (s->fd >= 0 && !fstat(s->fd, &st) && S_ISREG(st.st_mode) &&
	    (!inode || st.st_ino == inode))
		s->elf = code_image_begin(s->fd); /* read, not mapped: it may be cut meanwhile */
	if (s->elf)
		return s;
	elf_symbols_close(s);
	return NULL;
}

/* The segment that holds the place; `page`: also what else its first page has. */
static bool segment_of(const struct elf_symbols *s, uint64_t offset, bool writable, bool page,
		       GElf_Phdr *ph)
{
	size_t n = 0;

	if (elf_getphdrnum(s->elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint64_t start;

		if (!gelf_getphdr(s->elf, (int)i, ph) || ph->p_type != PT_LOAD ||
		    writable != !!(ph->p_flags & PF_W))
			continue;
		start = page ? ph->p_offset & ~(PAGE - 1) : ph->p_offset;
		if (offset >= start &&
		    offset < ph->p_offset + (writable ? ph->p_memsz : ph->p_filesz))
			return true;
	}
	return false;
}

bool elf_symbols_address(const struct elf_symbols *s, uint64_t offset, bool writable,
			 uint64_t *address)
{
	GElf_Phdr ph;

	if (!segment_of(s, offset, writable, false, &ph) &&
	    !segment_of(s, offset, writable, true, &ph))
		return false;
	*address = ph.p_vaddr + (offset - ph.p_offset);
	return true;
}

bool elf_symbols_offset(const struct elf_symbols *s, uint64_t address, uint64_t *offset)
{
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(s->elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(s->elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (address < ph.p_vaddr || address >= ph.p_vaddr + ph.p_filesz)
			continue;
		*offset = address - ph.p_vaddr + ph.p_offset;
		return true;
	}
	return false;
}

/* A symbol as we give it; false: undefined, without a size, or of a kind nobody asks for. */
static bool usable(const GElf_Sym *sym, const char *name, struct elf_symbol *out)
{
	int type = GELF_ST_TYPE(sym->st_info);

	if (!name || !*name || !sym->st_size || sym->st_shndx == SHN_UNDEF)
		return false;
	if (type != STT_OBJECT && type != STT_FUNC)
		return false;
	*out = (struct elf_symbol){
		.name = name,
		.value = sym->st_value,
		.size = sym->st_size,
		.kind = type == STT_FUNC ? ELF_FUNCTION : ELF_VARIABLE,
	};
	return true;
}

static bool each_of(const struct elf_symbols *s, Elf_Scn *section, const GElf_Shdr *header,
		    bool (*take)(void *ctx, const struct elf_symbol *symbol), void *ctx)
{
	Elf_Data *data = code_image_data(section);
	size_t n = data && header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	struct elf_symbol symbol;
	GElf_Sym sym;

	if (!code_image_data(elf_getscn(s->elf, header->sh_link)))
		return true; /* no names */
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getsym(data, (int)i, &sym))
			continue;
		if (usable(&sym, elf_strptr(s->elf, header->sh_link, sym.st_name), &symbol) &&
		    !take(ctx, &symbol))
			return false;
	}
	return true;
}

void elf_symbols_each(const struct elf_symbols *s,
		      bool (*take)(void *ctx, const struct elf_symbol *symbol), void *ctx)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(s->elf, section))) {
		if (!gelf_getshdr(section, &header) ||
		    (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
			continue;
		if (!each_of(s, section, &header, take, ctx))
			return;
	}
}

struct search {
	enum elf_symbol_kind kind;
	uint64_t address;
	const char *name; /* NULL: by address */
	struct elf_symbol *found;
	bool any;
};

static bool look_address(void *ctx, const struct elf_symbol *symbol)
{
	struct search *search = ctx;

	if (symbol->kind != search->kind || search->address < symbol->value ||
	    search->address - symbol->value >= symbol->size)
		return true;
	if (!search->any || symbol->size < search->found->size)
		*search->found = *symbol;
	search->any = true;
	return true;
}

bool elf_symbols_find(const struct elf_symbols *s, enum elf_symbol_kind kind, uint64_t address,
		      struct elf_symbol *found)
{
	struct search search = { .kind = kind, .address = address, .found = found };

	elf_symbols_each(s, look_address, &search);
	return search.any;
}

static bool look_name(void *ctx, const struct elf_symbol *symbol)
{
	struct search *search = ctx;

	if (symbol->kind != ELF_FUNCTION || strcmp(symbol->name, search->name) != 0)
		return true;
	*search->found = *symbol;
	search->any = true;
	return false;
}

bool elf_symbols_function(const struct elf_symbols *s, const char *name, struct elf_symbol *found)
{
	struct search search = { .name = name, .found = found };

	elf_symbols_each(s, look_name, &search);
	return search.any;
}
