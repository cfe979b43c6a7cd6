/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of an ELF file without its symbols: who it is, and which of its addresses a
 * place in it has. Files are read, never mapped: one that is cut while we read is an error,
 * not a signal. Any file may be given, hostile ones too.
 */
#ifndef DWELL_CODE_IMAGE_H
#define DWELL_CODE_IMAGE_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SECTION_MAX (256ULL << 20) /* a larger section is not read */
#define ELF_CODE_SEGMENTS 8
#define ELF_IDENTITY 40

struct elf_identity {
	uint8_t len;     /* 0: none */
	uint8_t by_stat; /* not a build-id, but device, inode, size and time of change */
	uint8_t bytes[ELF_IDENTITY];
};

struct code_image {
	struct elf_identity id;
	size_t nsegments; /* 0: no ELF file, or one without code */
	struct {
		uint64_t offset, vaddr, filesz, memsz;
	} segments[ELF_CODE_SEGMENTS];
};

/* NULL: no ELF file. The caller ends it with elf_end(); fd stays open as long. */
Elf *code_image_begin(int fd);
Elf *code_image_begin_memory(void *memory, size_t size);
/* 0; -ENOEXEC: no ELF file, but it has an identity by stat; -errno. */
int code_image_read(struct code_image *image, int fd);
void code_image_describe(struct code_image *image, Elf *elf);
bool elf_identity_equal(const struct elf_identity *a, const struct elf_identity *b);

/* The file's own address of what lies at that offset of it; false: no code segment has it. */
bool code_image_address(const struct code_image *image, uint64_t offset, uint64_t *address);
bool code_image_is_code(const struct code_image *image, uint64_t address);
/* Data of a section of at most ELF_SECTION_MAX bytes; NULL: none. All of it is read. */
Elf_Data *code_image_data(Elf_Scn *section);
/* Ditto, of that name as it stands in the file. */
Elf_Data *code_image_section(Elf *elf, const char *name);

#endif
