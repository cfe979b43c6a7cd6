/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of names share: frames of places in files. cmocka.h comes before it. */
#ifndef DWELL_NAMES_HELP_H
#define DWELL_NAMES_HELP_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks.h"
#include "symbol/names.h"

/* A directory of the fixtures (tests/unit/names-fixtures), made at the first call. */
const char *fixtures(void);
void remove_fixtures(void);
/* "DIR/NAME", in one of a few buffers. */
const char *in(const char *dir, const char *name);

/* The file that is mapped at an address here, and the place in it. */
bool mapped(uintptr_t address, uint64_t *offset, char path[4096]);
void add_file(struct names *n, uint32_t number, const char *path);
uint64_t file_frame(uint32_t number, uint64_t offset, bool exact);
/* The only frame of that place. */
const struct stack_frame *only_frame(struct names *n, uint64_t frame);
/* Where the file has what is mapped to an address (x86-64). */
uint64_t offset_of(const char *path, uint64_t address);

/* A line of `nm -S`; the list is free()d by the caller. */
struct known {
	uint64_t address, size;
	char type, name[256];
};
struct known *read_known(const char *path, size_t *n);
const struct known *known_by_name(const struct known *list, size_t n, const char *name);

/* Of the fixture `known` in all its forms. */
#define KNOWN_FILE 5
uint64_t known_address(const char *symbol);
/* Names with that form of it as KNOWN_FILE. */
struct names *open_with(const char *file);
const char *name_at(struct names *n, const char *file, uint64_t address);
void copy_file(const char *from, const char *to);

#endif
