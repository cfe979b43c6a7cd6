/* SPDX-License-Identifier: BSD-2-Clause */
/* See names_help.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names_help.h"

static char directory[64];

static void command(const char *format, const char *what)
{
	char line[4096];

	snprintf(line, sizeof(line), "%s %s", format, what);
	assert_int_equal(system(line), 0);
}

const char *fixtures(void)
{
	if (!directory[0]) {
		strcpy(directory, "/tmp/dwell-names-XXXXXX");
		assert_non_null(mkdtemp(directory));
		command(NAMES_FIXTURES, directory);
	}
	return directory;
}

void remove_fixtures(void)
{
	if (directory[0])
		command("rm -rf", directory);
	directory[0] = '\0';
}

const char *in(const char *dir, const char *name)
{
	static char text[8][4096];
	static int at;

	at = (at + 1) % 8;
	snprintf(text[at], sizeof(text[at]), "%s/%s", dir, name);
	return text[at];
}

bool mapped(uintptr_t address, uint64_t *offset, char path[4096])
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[5000];
	bool found = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f)) {
		unsigned long start, end, at;

		path[0] = '\0';
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095s", &start, &end, &at, path) >= 3 &&
		    address >= start && address < end) {
			*offset = at + (address - start);
			found = *path == '/';
		}
	}
	fclose(f);
	return found;
}

void add_file(struct names *n, uint32_t number, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(names_file(n, number, fd, path, -1), 0);
	assert_true(names_has_file(n, number));
	close(fd);
}

uint64_t file_frame(uint32_t number, uint64_t offset, bool exact)
{
	return (uint64_t)number << FRAME_FILE_SHIFT | offset | (exact ? FRAME_EXACT : 0);
}

const struct stack_frame *only_frame(struct names *n, uint64_t frame)
{
	const struct stack_frame *const *frames;

	assert_int_equal(names_frames(n, frame, 0, &frames), 1);
	assert_non_null(frames[0]->name);
	return frames[0];
}

uint64_t offset_of(const char *path, uint64_t address)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;
	Elf64_Phdr ph;

	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	for (int i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + (uint64_t)i * sizeof(ph));

		assert_int_equal(pread(fd, &ph, sizeof(ph), at), sizeof(ph));
		if (ph.p_type != PT_LOAD || address < ph.p_vaddr ||
		    address >= ph.p_vaddr + ph.p_filesz)
			continue;
		close(fd);
		return address - ph.p_vaddr + ph.p_offset;
	}
	fail_msg("%s has no address %lx", path, (unsigned long)address);
	return 0;
}

struct known *read_known(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	struct known *list = NULL;
	char line[512];

	assert_non_null(f);
	*n = 0;
	while (fgets(line, sizeof(line), f)) {
		struct known k = {};

		if (sscanf(line, "%lx %lx %c %255s", &k.address, &k.size, &k.type, k.name) != 4) {
			k.size = 0;
			assert_int_equal(sscanf(line, "%lx %c %255s", &k.address, &k.type, k.name),
					 3);
		}
		list = reallocarray(list, *n + 1, sizeof(*list));
		list[(*n)++] = k;
	}
	fclose(f);
	return list;
}

const struct known *known_by_name(const struct known *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].name, name))
			return &list[i];
	fail_msg("no symbol %s", name);
	return NULL;
}

uint64_t known_address(const char *symbol)
{
	uint64_t address;
	size_t n;
	struct known *list = read_known(in(fixtures(), "known.nm"), &n);

	address = known_by_name(list, n, symbol)->address;
	free(list);
	return address;
}

struct names *open_with(const char *file)
{
	struct names *n = names_open(false);

	add_file(n, KNOWN_FILE, in(fixtures(), file));
	return n;
}

const char *name_at(struct names *n, const char *file, uint64_t address)
{
	uint64_t offset = offset_of(in(fixtures(), file), address);

	return only_frame(n, file_frame(KNOWN_FILE, offset, true))->name;
}

void copy_file(const char *from, const char *to)
{
	char bytes[65536];
	int in_fd = open(from, O_RDONLY | O_CLOEXEC);
	int out_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t got;

	assert_true(in_fd >= 0 && out_fd >= 0);
	while ((got = read(in_fd, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out_fd, bytes, (size_t)got), got);
	close(in_fd);
	close(out_fd);
}
