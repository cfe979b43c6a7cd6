/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes of an ELF file or of an image of one in memory, and what its headers say of its code.
 * A file is read with pread, never mapped: one that somebody cuts short meanwhile then gives
 * an error, not a SIGBUS. Every offset and size is the file's own word and is checked here.
 */
#ifndef DWELL_ELF_IMAGE_H
#define DWELL_ELF_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "eh_table.h"

/* More are not looked at. */
#define ELF_PROGRAM_HEADERS_MAX 256
#define ELF_SECTION_NAMES_MAX (4U << 20) /* bytes of their names */
#define ELF_NOTES_MAX 65536              /* bytes of one note segment */

struct elf_image {
	int fd; /* -1: in memory */
	const uint8_t *memory;
	uint64_t size;
	Elf64_Ehdr header;
	Elf64_Phdr *programs;
	size_t nprograms;
};

/* 0, -ENOEXEC: not an ELF program or library for this machine, -errno. */
int elf_image_open(struct elf_image *image, int fd);
int elf_image_open_memory(struct elf_image *image, const void *memory, size_t size);
void elf_image_close(struct elf_image *image);

/* All `size` bytes at `offset`; -EINVAL: the file has not so many. */
int elf_image_read(const struct elf_image *image, uint64_t offset, void *buf, size_t size);
/* The same into memory of its own, for free(). NULL, and *err, on failure. */
void *elf_image_load(const struct elf_image *image, uint64_t offset, uint64_t size, int *err);

/* Fills segments, build_id, base and span. */
int elf_image_identify(const struct elf_image *image, struct eh_table *t);

/* Where .eh_frame lies. */
struct eh_section {
	uint64_t offset, size;
	uint64_t address;
	uint64_t entries; /* FDEs at most; UINT64_MAX: not known, the size is exact */
};

/* 0; -ENOENT: there is none. By section headers, or when those are stripped by .eh_frame_hdr. */
int elf_image_eh_frame(const struct elf_image *image, struct eh_section *section);

#endif
