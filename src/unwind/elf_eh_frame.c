/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds .eh_frame: by its section header, which says its size; or, when section headers are
 * stripped, by .eh_frame_hdr, to which a program header points. Both are found in the wild
 * without the other.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "eh_pointer.h"
#include "elf_image.h"

static bool is_eh_frame(const Elf64_Shdr *section, const char *names, size_t size)
{
	static const char name[] = ".eh_frame";

	return section->sh_type != SHT_NOBITS && section->sh_name < size &&
	       size - section->sh_name >= sizeof(name) &&
	       !memcmp(names + section->sh_name, name, sizeof(name));
}

static bool among(const struct elf_image *image, const Elf64_Shdr *sections, size_t n,
		  struct eh_section *found)
{
	const Elf64_Shdr *strings = &sections[image->header.e_shstrndx];
	size_t i;
	char *names;
	int err;

	if (strings->sh_type != SHT_STRTAB || strings->sh_size > ELF_SECTION_NAMES_MAX)
		return false;
	names = elf_image_load(image, strings->sh_offset, strings->sh_size, &err);
	if (!names)
		return false;
	for (i = 0; i < n; i++)
		if (is_eh_frame(&sections[i], names, strings->sh_size))
			break;
	free(names);
	if (i == n)
		return false;
	*found = (struct eh_section){ .offset = sections[i].sh_offset,
				      .size = sections[i].sh_size,
				      .address = sections[i].sh_addr,
				      .entries = UINT64_MAX };
	return true;
}

static bool by_sections(const struct elf_image *image, struct eh_section *found)
{
	const Elf64_Ehdr *h = &image->header;
	Elf64_Shdr *sections;
	bool ok;
	int err;

	if (!h->e_shoff || h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shstrndx >= h->e_shnum)
		return false;
	sections = elf_image_load(image, h->e_shoff, h->e_shnum * sizeof(*sections), &err);
	if (!sections)
		return false;
	ok = among(image, sections, h->e_shnum, found);
	free(sections);
	return ok;
}

/* The place in the file of an address, up to the end of its segment. */
static bool locate(const struct elf_image *image, uint64_t address, struct eh_section *found)
{
	for (size_t i = 0; i < image->nprograms; i++) {
		const Elf64_Phdr *ph = &image->programs[i];

		if (ph->p_type != PT_LOAD || address < ph->p_vaddr ||
		    address - ph->p_vaddr >= ph->p_filesz)
			continue;
		found->address = address;
		found->offset = ph->p_offset + (address - ph->p_vaddr);
		found->size = ph->p_filesz - (address - ph->p_vaddr);
		return true;
	}
	return false;
}

/* .eh_frame_hdr: version 1, three encodings, pointer to .eh_frame, number of FDEs. */
static bool by_header(const struct elf_image *image, struct eh_section *found)
{
	enum { VERSION = 1, LONGEST = 4 + 2 * 8 };
	uint8_t bytes[LONGEST] = { 0 }, pointer, count;
	const Elf64_Phdr *ph = NULL;
	struct eh_place place;
	uint64_t address;

	for (size_t i = 0; i < image->nprograms && !ph; i++)
		if (image->programs[i].p_type == PT_GNU_EH_FRAME)
			ph = &image->programs[i];
	if (!ph || ph->p_filesz < 8 ||
	    elf_image_read(image, ph->p_offset, bytes,
			   ph->p_filesz < LONGEST ? ph->p_filesz : LONGEST))
		return false;
	place = (struct eh_place){ .reader = { .at = bytes, .end = bytes + LONGEST },
				   .bytes = bytes,
				   .address = ph->p_vaddr,
				   .data = ph->p_vaddr };
	if (eh_u8(&place.reader) != VERSION)
		return false;
	pointer = eh_u8(&place.reader);
	count = eh_u8(&place.reader);
	eh_u8(&place.reader); /* the encoding of the table */
	if (!eh_pointer(&place, pointer, &address) || !locate(image, address, found))
		return false;
	if (!eh_pointer(&place, count, &found->entries))
		found->entries = UINT64_MAX - 1; /* up to the terminator */
	return true;
}

int elf_image_eh_frame(const struct elf_image *image, struct eh_section *section)
{
	if (!by_sections(image, section) && !by_header(image, section))
		return -ENOENT;
	return section->size ? 0 : -ENOENT;
}
