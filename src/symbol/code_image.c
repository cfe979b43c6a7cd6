/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers and notes by libelf; see code_image.h. */
#include "code_image.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

#define PAGE 4096ULL
#define NOTES_MAX (1ULL << 20)

union head {
	Elf32_Ehdr small;
	Elf64_Ehdr large;
};

/*
 * Numbers of sections and segments beyond 16 bits stand in the first section's header, and
 * libelf makes room for as many as it says. No linked program has them.
 */
static bool counts_are_sane(const union head *head)
{
	if (head->small.e_ident[EI_CLASS] == ELFCLASS64)
		return (head->large.e_shnum || !head->large.e_shoff) &&
		       head->large.e_phnum != PN_XNUM;
	return (head->small.e_shnum || !head->small.e_shoff) && head->small.e_phnum != PN_XNUM;
}

static Elf *only_elf(Elf *elf)
{
	if (elf && elf_kind(elf) == ELF_K_ELF)
		return elf;
	elf_end(elf);
	return NULL;
}

static Elf *begin(int fd, Elf_Cmd how)
{
	union head head;

	if (elf_version(EV_CURRENT) == EV_NONE ||
	    pread(fd, &head, sizeof(head), 0) != sizeof(head) || !counts_are_sane(&head))
		return NULL;
	return only_elf(elf_begin(fd, how, NULL));
}

Elf *code_image_begin(int fd)
{
	return begin(fd, ELF_C_READ);
}

Elf *code_image_begin_memory(void *memory, size_t size)
{
	union head head;

	if (elf_version(EV_CURRENT) == EV_NONE || size < sizeof(head))
		return NULL;
	memcpy(&head, memory, sizeof(head));
	return counts_are_sane(&head) ? only_elf(elf_memory(memory, size)) : NULL;
}

static void identify_by_stat(struct elf_identity *id, const struct stat *st)
{
	uint64_t facts[] = { st->st_dev, st->st_ino, (uint64_t)st->st_size,
			     (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec };

	_Static_assert(sizeof(facts) == ELF_IDENTITY, "room for the facts");
	memcpy(id->bytes, facts, sizeof(facts));
	id->len = sizeof(facts);
	id->by_stat = true;
}

static bool take_build_id(struct elf_identity *id, Elf_Data *notes)
{
	size_t at = 0, name, desc;
	GElf_Nhdr head;

	while ((at = gelf_getnote(notes, at, &head, &name, &desc)) > 0) {
		if (head.n_type != NT_GNU_BUILD_ID || head.n_namesz != sizeof("GNU") ||
		    memcmp((const char *)notes->d_buf + name, "GNU", sizeof("GNU")) != 0)
			continue;
		if (!head.n_descsz || head.n_descsz > sizeof(id->bytes))
			continue;
		memset(id, 0, sizeof(*id));
		memcpy(id->bytes, (const char *)notes->d_buf + desc, head.n_descsz);
		id->len = (uint8_t)head.n_descsz;
		return true;
	}
	return false;
}

static void take_notes(struct code_image *image, Elf *elf, const GElf_Phdr *ph)
{
	Elf_Type type = ph->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
	Elf_Data *notes;

	if (ph->p_filesz > NOTES_MAX || (image->id.len && !image->id.by_stat))
		return;
	notes = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, ph->p_filesz, type);
	if (notes)
		take_build_id(&image->id, notes);
}

/* The headers of a debug file's segments need not say where its notes are. */
static void take_note_sections(struct code_image *image, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf_Data *notes;

	while ((!image->id.len || image->id.by_stat) && (section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE ||
		    header.sh_size > NOTES_MAX)
			continue;
		notes = elf_getdata(section, NULL);
		if (notes)
			take_build_id(&image->id, notes);
	}
}

void code_image_describe(struct code_image *image, Elf *elf)
{
	size_t n = 0;
	GElf_Phdr ph;

	if (elf_getphdrnum(elf, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph))
			break;
		if (ph.p_type == PT_NOTE)
			take_notes(image, elf, &ph);
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) ||
		    image->nsegments == ELF_CODE_SEGMENTS)
			continue;
		image->segments[image->nsegments].offset = ph.p_offset;
		image->segments[image->nsegments].vaddr = ph.p_vaddr;
		image->segments[image->nsegments].memsz = ph.p_memsz;
		image->segments[image->nsegments++].filesz = ph.p_filesz;
	}
	take_note_sections(image, elf);
}

int code_image_read(struct code_image *image, int fd)
{
	struct stat st;
	Elf *elf;

	memset(image, 0, sizeof(*image));
	if (fstat(fd, &st))
		return err_set(-errno, "cannot look at a file with code");
	identify_by_stat(&image->id, &st);
	elf = S_ISREG(st.st_mode) ? code_image_begin(fd) : NULL;
	if (!elf)
		return -ENOEXEC;
	code_image_describe(image, elf);
	elf_end(elf);
	return 0;
}

bool elf_identity_equal(const struct elf_identity *a, const struct elf_identity *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool code_image_address(const struct code_image *image, uint64_t offset, uint64_t *address)
{
	/* a segment is mapped by whole pages: what shares its first or last one may be run, too */
	for (uint64_t slack = 0; slack <= PAGE - 1; slack += PAGE - 1) {
		for (size_t i = 0; i < image->nsegments; i++) {
			uint64_t start = image->segments[i].offset;
			uint64_t size = image->segments[i].filesz;

			if (offset < (start & ~slack) ||
			    offset - (start & ~slack) >= size + (start & slack) + slack)
				continue;
			*address = image->segments[i].vaddr + (offset - start);
			return true;
		}
	}
	return false;
}

bool code_image_is_code(const struct code_image *image, uint64_t address)
{
	for (size_t i = 0; i < image->nsegments; i++)
		if (address >= image->segments[i].vaddr &&
		    address - image->segments[i].vaddr < image->segments[i].memsz)
			return true;
	return false;
}

Elf_Data *code_image_data(Elf_Scn *section)
{
	GElf_Shdr header;

	return section && gelf_getshdr(section, &header) && header.sh_size <= ELF_SECTION_MAX
		       ? elf_getdata(section, NULL)
		       : NULL;
}

Elf_Data *code_image_section(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;
	size_t strings;
	GElf_Shdr header;

	if (elf_getshdrstrndx(elf, &strings) || !gelf_getshdr(elf_getscn(elf, strings), &header) ||
	    header.sh_size > ELF_SECTION_MAX)
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *is;

		if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS ||
		    header.sh_size > ELF_SECTION_MAX)
			continue;
		is = elf_strptr(elf, strings, header.sh_name);
		if (is && !strcmp(is, name))
			return elf_rawdata(section, NULL);
	}
	return NULL;
}
