/* SPDX-License-Identifier: BSD-2-Clause */
/* Access to ELF files and images; see elf_image.h. */
#include "elf_image.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eh_reader.h"

#define PAGE 4096ULL

static bool within(const struct elf_image *image, uint64_t offset, uint64_t size)
{
	return offset <= image->size && size <= image->size - offset;
}

int elf_image_read(const struct elf_image *image, uint64_t offset, void *buf, size_t size)
{
	size_t done = 0;

	if (!within(image, offset, size))
		return -EINVAL;
	if (image->fd < 0) {
		memcpy(buf, image->memory + offset, size);
		return 0;
	}
	while (done < size) {
		ssize_t n =
			pread(image->fd, (char *)buf + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		done += (size_t)n;
	}
	return 0;
}

void *elf_image_load(const struct elf_image *image, uint64_t offset, uint64_t size, int *err)
{
	void *bytes;

	*err = -EINVAL;
	if (!within(image, offset, size))
		return NULL;
	bytes = malloc(size ? size : 1);
	if (!bytes) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = elf_image_read(image, offset, bytes, size);
	if (!*err)
		return bytes;
	free(bytes);
	return NULL;
}

static bool ours(const Elf64_Ehdr *h)
{
	return !memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_machine == EM_X86_64 &&
	       (h->e_type == ET_EXEC || h->e_type == ET_DYN) &&
	       h->e_phentsize == sizeof(Elf64_Phdr) && h->e_phnum;
}

static int read_headers(struct elf_image *image)
{
	int err;

	if (elf_image_read(image, 0, &image->header, sizeof(image->header)) ||
	    !ours(&image->header))
		return -ENOEXEC;
	image->nprograms = image->header.e_phnum;
	if (image->nprograms > ELF_PROGRAM_HEADERS_MAX)
		return -ENOEXEC;
	image->programs = elf_image_load(image, image->header.e_phoff,
					 image->nprograms * sizeof(Elf64_Phdr), &err);
	return err == -EINVAL ? -ENOEXEC : err;
}

int elf_image_open(struct elf_image *image, int fd)
{
	struct stat st;

	*image = (struct elf_image){ .fd = fd };
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) /* reading it could wait, or take what is another's */
		return -ENOEXEC;
	image->size = (uint64_t)st.st_size;
	return read_headers(image);
}

int elf_image_open_memory(struct elf_image *image, const void *memory, size_t size)
{
	*image = (struct elf_image){ .fd = -1, .memory = memory, .size = size };
	return read_headers(image);
}

void elf_image_close(struct elf_image *image)
{
	free(image->programs);
	image->programs = NULL;
}

/* The GNU build-id of a segment of notes. */
static void read_build_id(const struct elf_image *image, const Elf64_Phdr *ph, struct eh_table *t)
{
	uint64_t align = ph->p_align == 8 ? 8 : 4;
	struct eh_reader in;
	uint8_t *notes;
	int err;

	if (ph->p_filesz > ELF_NOTES_MAX)
		return;
	notes = elf_image_load(image, ph->p_offset, ph->p_filesz, &err);
	if (!notes)
		return;
	in = (struct eh_reader){ .at = notes, .end = notes + ph->p_filesz };
	while (eh_left(&in) >= sizeof(Elf64_Nhdr)) {
		uint64_t name_size = eh_fixed(&in, 4), size = eh_fixed(&in, 4);
		uint64_t type = eh_fixed(&in, 4);
		const uint8_t *name = in.at, *bytes;

		eh_skip(&in, (name_size + align - 1) & ~(align - 1));
		bytes = in.at;
		if (size > eh_left(&in) || in.bad)
			break;
		if (type == NT_GNU_BUILD_ID && name_size == 4 && !memcmp(name, "GNU", 4) && size &&
		    size <= BUILD_ID_MAX) {
			memcpy(t->build_id, bytes, size);
			t->build_id_len = size;
			break;
		}
		eh_skip(&in, (size + align - 1) & ~(align - 1));
	}
	free(notes);
}

/* Adds an executable PT_LOAD. False: its place in file and memory makes no sense. */
static bool add_segment(const struct elf_image *image, const Elf64_Phdr *ph, struct eh_table *t)
{
	if (!within(image, ph->p_offset, ph->p_filesz) || ph->p_vaddr > UINT64_MAX - ph->p_filesz)
		return false;
	t->segments[t->nsegments++] = (struct eh_segment){ .offset = ph->p_offset,
							   .vaddr = ph->p_vaddr,
							   .size = ph->p_filesz };
	return true;
}

int elf_image_identify(const struct elf_image *image, struct eh_table *t)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < image->nprograms; i++) {
		const Elf64_Phdr *ph = &image->programs[i];

		if (ph->p_type == PT_NOTE && !t->build_id_len)
			read_build_id(image, ph, t);
		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || !ph->p_filesz ||
		    t->nsegments == EH_SEGMENTS)
			continue;
		if (!add_segment(image, ph, t))
			return -ENOEXEC;
		if (ph->p_vaddr < low)
			low = ph->p_vaddr;
		if (ph->p_vaddr + ph->p_filesz > high)
			high = ph->p_vaddr + ph->p_filesz;
	}
	if (!t->nsegments)
		return 0;
	t->base = low & ~(PAGE - 1);
	t->span = high - t->base;
	return t->span > EH_SPAN_MAX ? -EFBIG : 0;
}
