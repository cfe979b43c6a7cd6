/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are cut short, stripped, patched or wrong in any byte: never a crash or a loop
 * (sanitizers watch), a table that is in order or none, and the same table by another way.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "eh_table.h"

/* Small, and with rows of most kinds. */
#define VICTIM "/lib64/ld-linux-x86-64.so.2"

struct victim {
	uint8_t *bytes;
	size_t size;
	struct eh_table table;
};

static Elf64_Ehdr *header(const struct victim *v)
{
	return (Elf64_Ehdr *)(void *)v->bytes;
}

static Elf64_Phdr *program(const struct victim *v, uint32_t type)
{
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(v->bytes + header(v)->e_phoff);

	for (size_t i = 0; i < header(v)->e_phnum; i++)
		if (ph[i].p_type == type)
			return &ph[i];
	fail_msg("no program header %u", type);
	return NULL;
}

static Elf64_Phdr *code(const struct victim *v)
{
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(v->bytes + header(v)->e_phoff);

	for (size_t i = 0; i < header(v)->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X))
			return &ph[i];
	fail_msg("no code");
	return NULL;
}

static Elf64_Shdr *section(const struct victim *v, const char *name)
{
	Elf64_Shdr *sh = (Elf64_Shdr *)(void *)(v->bytes + header(v)->e_shoff);
	const char *names = (const char *)v->bytes + sh[header(v)->e_shstrndx].sh_offset;

	for (size_t i = 0; i < header(v)->e_shnum; i++)
		if (!strcmp(names + sh[i].sh_name, name))
			return &sh[i];
	fail_msg("no section %s", name);
	return NULL;
}

static int setup(void **state)
{
	struct victim *v = calloc(1, sizeof(*v));
	int fd = open(VICTIM, O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_non_null(v);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	v->size = (size_t)st.st_size;
	v->bytes = malloc(v->size);
	assert_non_null(v->bytes);
	assert_int_equal(read(fd, v->bytes, v->size), st.st_size);
	assert_int_equal(eh_table_read(&v->table, fd), 0);
	close(fd);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	struct victim *v = *state;

	eh_table_free(&v->table);
	free(v->bytes);
	free(v);
	return 0;
}

/* A table that nobody has made wrong: what a walker relies on. */
static void check(const struct eh_table *t)
{
	for (size_t i = 0; i < t->nrows; i++) {
		assert_true(t->rows[i].pc < t->span);
		assert_true(t->rows[i].rule <= UNWIND_UNSUPPORTED ||
			    t->rows[i].rule >= UNWIND_REGISTER);
		assert_true(!i || t->rows[i].pc > t->rows[i - 1].pc);
	}
	for (size_t i = 0; i < t->npages; i++)
		assert_true(t->pages[i].low < t->pages[i].high && t->pages[i].high <= t->nrows);
	assert_true(t->unsupported <= t->covered && t->covered <= t->span);
	if (t->nrows) {
		eh_table_find(t, t->base);
		eh_table_find(t, t->base + t->span - 1);
		assert_null(eh_table_find(t, t->base + t->span));
		assert_null(eh_table_find(t, t->base - 1));
	}
}

/* Reads a copy of its own size, so that a byte read beyond it is seen. */
static int read_copy(const struct victim *v, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct eh_table t;
	int err;

	assert_non_null(copy);
	memcpy(copy, v->bytes, size);
	err = eh_table_read_image(&t, copy, size);
	assert_true(!err || err == -ENOENT || err == -ENOEXEC || err == -EFBIG);
	assert_true(!err || !t.nrows);
	check(&t);
	eh_table_free(&t);
	free(copy);
	return err;
}

static void assert_same_rows(const struct victim *v, const uint8_t *bytes, size_t size)
{
	struct eh_table t;

	assert_int_equal(eh_table_read_image(&t, bytes, size), 0);
	assert_int_equal(t.nrows, v->table.nrows);
	assert_memory_equal(t.rows, v->table.rows, t.nrows * sizeof(*t.rows));
	assert_int_equal(t.npages, v->table.npages);
	assert_memory_equal(t.pages, v->table.pages, t.npages * sizeof(*t.pages));
	eh_table_free(&t);
}

static void an_image_is_read_as_its_file_is(void **state)
{
	const struct victim *v = *state;

	assert_same_rows(v, v->bytes, v->size);
}

static void section_headers_stripped(void **state)
{
	struct victim *v = *state;

	header(v)->e_shoff = 0;
	header(v)->e_shnum = header(v)->e_shstrndx = 0;
	assert_same_rows(v, v->bytes, v->size);
}

static void without_eh_frame_hdr(void **state)
{
	struct victim *v = *state;

	program(v, PT_GNU_EH_FRAME)->p_type = PT_NULL;
	assert_same_rows(v, v->bytes, v->size);
}

static void without_any_unwind_information(void **state)
{
	struct victim *v = *state;
	struct eh_table t;

	program(v, PT_GNU_EH_FRAME)->p_type = PT_NULL;
	section(v, ".eh_frame")->sh_type = SHT_NOBITS;
	assert_int_equal(eh_table_read_image(&t, v->bytes, v->size), -ENOENT);
	assert_int_equal(t.nsegments, 1);
	assert_int_equal(t.nrows, 0);
	eh_table_free(&t);
}

/* ld.so has no FDE at its entry; with one there, it is no less the first function. */
static void the_entry_has_no_caller(void **state)
{
	struct victim *v = *state;
	const struct unwind_row *row = eh_table_find(&v->table, header(v)->e_entry);
	uint64_t other = 0;
	struct eh_table t;

	assert_int_equal(row->rule, UNWIND_END);
	for (size_t i = 2; i < v->table.nrows && !other; i++) /* behind the PLT's: a function */
		if (v->table.rows[i - 1].rule == UNWIND_NONE)
			other = v->table.rows[i].pc + v->table.base;
	assert_int_equal(eh_table_find(&v->table, other)->rule, UNWIND_RSP);
	header(v)->e_entry = other;
	assert_int_equal(eh_table_read_image(&t, v->bytes, v->size), 0);
	assert_int_equal(eh_table_find(&t, other)->rule, UNWIND_END);
	eh_table_free(&t);
}

/* The code in two program headers, as node has it in three, makes the same rows. */
static void several_executable_segments(void **state)
{
	struct victim *v = *state;
	Elf64_Phdr *first = code(v), *second = program(v, PT_GNU_STACK);
	uint64_t half = header(v)->e_entry - first->p_vaddr; /* no function is cut in two there */
	struct eh_table t;

	*second = *first;
	second->p_offset += half;
	second->p_vaddr += half;
	second->p_filesz -= half;
	first->p_filesz = half;
	assert_same_rows(v, v->bytes, v->size);
	assert_int_equal(eh_table_read_image(&t, v->bytes, v->size), 0);
	assert_int_equal(t.nsegments, 2);
	eh_table_free(&t);
}

static void other_machines_are_refused(void **state)
{
	struct victim *v = *state;
	Elf64_Ehdr *h = header(v), right = *h;

	h->e_machine = EM_AARCH64;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
	*h = right;
	h->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
	*h = right;
	h->e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
	*h = right;
	h->e_type = ET_CORE;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
	*h = right;
	assert_int_equal(read_copy(v, v->size), 0);
}

static void sizes_are_bounded(void **state)
{
	struct victim *v = *state;
	Elf64_Phdr *second = program(v, PT_GNU_STACK), *first = code(v);
	Elf64_Shdr *frames = section(v, ".eh_frame");
	uint64_t size = frames->sh_size;

	frames->sh_size = UINT64_MAX;
	assert_int_equal(read_copy(v, v->size), -EFBIG);
	frames->sh_size = v->size;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
	frames->sh_size = size;
	*second = *first;
	second->p_vaddr += EH_SPAN_MAX;
	assert_int_equal(read_copy(v, v->size), -EFBIG);
	second->p_vaddr = UINT64_MAX - 16;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
	second->p_vaddr = 0;
	second->p_filesz = UINT64_MAX;
	assert_int_equal(read_copy(v, v->size), -ENOEXEC);
}

static void cut_anywhere(void **state)
{
	const struct victim *v = *state;

	for (size_t size = 0; size < 4096; size += 7)
		read_copy(v, size);
	for (size_t size = 4096; size < v->size; size += 1009)
		read_copy(v, size);
}

/* An instruction that does not exist takes the function's rows, and no others. */
static void a_broken_function_has_no_rule(void **state)
{
	struct victim *v = *state;
	Elf64_Shdr *frames = section(v, ".eh_frame");
	uint8_t *at = v->bytes + frames->sh_offset;
	const struct unwind_row *row;
	uint32_t length, id;
	struct eh_table t;
	int32_t distance;
	uint64_t start;

	for (;; at += 4 + length) { /* to the first FDE */
		memcpy(&length, at, sizeof(length));
		memcpy(&id, at + 4, sizeof(id));
		if (id)
			break;
	}
	memcpy(&distance, at + 8, sizeof(distance));
	start = frames->sh_addr + (uint64_t)(at + 8 - (v->bytes + frames->sh_offset)) +
		(uint64_t)distance;
	memset(at + 17, 0x3f, length - 13); /* all its instructions, behind no augmentation */
	assert_int_equal(eh_table_read_image(&t, v->bytes, v->size), 0);
	row = eh_table_find(&t, start);
	assert_non_null(row);
	assert_int_equal(row->rule, UNWIND_UNSUPPORTED);
	assert_int_equal(row->pc + t.base, start);
	assert_true(t.unsupported > v->table.unsupported);
	assert_true(t.covered == v->table.covered);
	eh_table_free(&t);
}

/* Bytes wrong in headers, in .eh_frame, or anywhere. */
static void wrong_bytes(void **state)
{
	struct victim *v = *state;
	const Elf64_Shdr *frames = section(v, ".eh_frame");
	const struct {
		uint64_t from, size;
	} places[] = { { 16, 48 },
		       { header(v)->e_phoff, header(v)->e_phnum * sizeof(Elf64_Phdr) },
		       { header(v)->e_shoff, header(v)->e_shnum * sizeof(Elf64_Shdr) },
		       { program(v, PT_GNU_EH_FRAME)->p_offset, 16 },
		       { frames->sh_offset, frames->sh_size },
		       { frames->sh_offset, 256 } };
	uint8_t *right = malloc(v->size);
	uint64_t random = 88172645463325252ULL;

	assert_non_null(right);
	memcpy(right, v->bytes, v->size);
	for (int round = 0; round < 3000; round++) {
		size_t place = (size_t)round % (sizeof(places) / sizeof(*places));

		if (round % 2) /* by .eh_frame_hdr */
			header(v)->e_shnum = 0;
		for (int i = 0; i < 1 + round % 32; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			v->bytes[places[place].from + (random >> 16) % places[place].size] =
				(uint8_t)random;
		}
		read_copy(v, v->size);
		memcpy(v->bytes, right, v->size);
	}
	free(right);
}

/* A file of which somebody cuts a part off while it is read is an error, not a signal. */
static void a_file_that_shrinks(void **state)
{
	const struct victim *v = *state;
	int fd = memfd_create("victim", MFD_CLOEXEC);
	struct eh_table t;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, v->bytes, v->size), (ssize_t)v->size);
	assert_int_equal(eh_table_read(&t, fd), 0);
	assert_int_equal(t.nrows, v->table.nrows);
	eh_table_free(&t);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(eh_table_read(&t, fd), -ENOEXEC);
	eh_table_free(&t);
	close(fd);
}

static void what_is_no_file_is_refused(void **state)
{
	struct eh_table t;
	int fds[2], fd = open("/", O_RDONLY | O_CLOEXEC);

	assert_int_equal(eh_table_read(&t, fd), -ENOEXEC);
	close(fd);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(eh_table_identify(&t, fds[0]), -ENOEXEC);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(eh_table_read(&t, -1), -EBADF);
	fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	assert_int_equal(eh_table_read(&t, fd), -ENOEXEC);
	close(fd);
}

#define WITH_VICTIM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VICTIM(an_image_is_read_as_its_file_is),
		WITH_VICTIM(section_headers_stripped),
		WITH_VICTIM(without_eh_frame_hdr),
		WITH_VICTIM(without_any_unwind_information),
		WITH_VICTIM(the_entry_has_no_caller),
		WITH_VICTIM(several_executable_segments),
		WITH_VICTIM(other_machines_are_refused),
		WITH_VICTIM(sizes_are_bounded),
		WITH_VICTIM(cut_anywhere),
		WITH_VICTIM(a_broken_function_has_no_rule),
		WITH_VICTIM(wrong_bytes),
		WITH_VICTIM(a_file_that_shrinks),
		cmocka_unit_test(what_is_no_file_is_refused),
	};

	return cmocka_run_group_tests_name("eh_hostile", tests, NULL, NULL);
}
