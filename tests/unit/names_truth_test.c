/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names on this machine's own programs and libraries against libdw's, at thousands of addresses;
 * how long ten thousand take; and files that are damaged in any byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "names_help.h"

/* ---- libdw's answers ---- */

struct truth {
	Dwfl *dwfl;
	Dwfl_Module *module;
	GElf_Addr bias; /* of its addresses to those in the file */
	struct {
		uint64_t start, size;
		const char *name;
	} * list;
	size_t n;
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static int by_start(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void open_truth(struct truth *t, const char *path)
{
	int n;

	memset(t, 0, sizeof(*t));
	t->dwfl = dwfl_begin(&callbacks);
	assert_non_null(t->dwfl);
	t->module = dwfl_report_offline(t->dwfl, "file", path, -1);
	assert_non_null(t->module);
	dwfl_report_end(t->dwfl, NULL, NULL);
	dwfl_module_getelf(t->module, &t->bias);
	n = dwfl_module_getsymtab(t->module);
	assert_true(n > 0);
	t->list = calloc((size_t)n, sizeof(*t->list));
	for (int i = 0; i < n; i++) {
		GElf_Addr address;
		GElf_Word section;
		GElf_Sym sym;
		const char *name =
			dwfl_module_getsym_info(t->module, i, &sym, &address, &section, NULL, NULL);
		int type = GELF_ST_TYPE(sym.st_info);

		if (!name || !*name || section == SHN_UNDEF ||
		    (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE))
			continue;
		t->list[t->n].start = sym.st_value;
		t->list[t->n].size = sym.st_size;
		t->list[t->n++].name = name;
	}
	qsort(t->list, t->n, sizeof(*t->list), by_start);
}

static void close_truth(struct truth *t)
{
	dwfl_end(t->dwfl);
	free(t->list);
}

/* Is `name` that symbol's, but for what stands behind it: a version, a part of a function? */
static bool names_symbol(const char *name, const char *symbol)
{
	size_t len = strcspn(name, "@");
	char base[4096], *readable;
	bool same;

	if (!strncmp(symbol, name, len) && (!symbol[len] || symbol[len] == '@'))
		return true;
	snprintf(base, sizeof(base), "%.*s", (int)strcspn(symbol, ".@"), symbol);
	readable = cplus_demangle(base, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
	same = readable && !strncmp(readable, name, strlen(readable));
	free(readable);
	return same;
}

/* Is that one of the symbols that start there? */
static bool starts_there(const struct truth *t, uint64_t start, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->list[i].start == start && names_symbol(name, t->list[i].name))
			return true;
	return false;
}

/* Does a symbol with a size hold the address? */
static bool is_covered(const struct truth *t, uint64_t address)
{
	for (size_t i = 0; i < t->n && t->list[i].start <= address; i++)
		if (address - t->list[i].start < t->list[i].size)
			return true;
	return false;
}

/* ---- this machine's files ---- */

/* The segment of code of a file. */
static Elf64_Phdr code_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;
	Elf64_Phdr ph = {};

	assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
	for (int i = 0; i < head.e_phnum && !(ph.p_type == PT_LOAD && ph.p_flags & PF_X); i++)
		assert_int_equal(pread(fd, &ph, sizeof(ph),
				       (off_t)(head.e_phoff + sizeof(ph) * (uint64_t)i)),
				 sizeof(ph));
	close(fd);
	return ph;
}

struct tally {
	int named, unnamed, stubs;
};

static void compare(const struct truth *t, struct names *n, const Elf64_Phdr *code, uint64_t at,
		    struct tally *tally)
{
	uint64_t address = code->p_vaddr + at;
	const char *name = only_frame(n, file_frame(7, code->p_offset + at, true))->name;
	const char *is;
	GElf_Off distance;
	GElf_Sym sym;

	if (strstr(name, "@plt")) {
		assert_false(is_covered(t, address));
		tally->stubs++;
		return;
	}
	is = dwfl_module_addrinfo(t->module, address + t->bias, &distance, &sym, NULL, NULL, NULL);
	if (strstr(name, "+0x")) {
		if (is_covered(t, address))
			fail_msg("%lx is %s, not %s", address, is, name);
		tally->unnamed++;
		return;
	}
	/* libdw takes a name of its own choice, and any symbol before for one without a size */
	if (!is || !starts_there(t, address - distance, name))
		fail_msg("%lx is %s, not %s", address, is ? is : "nothing", name);
	tally->named++;
}

static void compare_file(const char *path, int addresses, struct tally *tally)
{
	Elf64_Phdr code = code_of(path);
	struct names *n = names_open(false);
	struct truth t;

	memset(tally, 0, sizeof(*tally));
	open_truth(&t, path);
	add_file(n, 7, path);
	srandom(11);
	for (int i = 0; i < addresses; i++)
		compare(&t, n, &code, (uint64_t)random() % code.p_filesz, tally);
	printf("# %s: %d named, %d of no symbol, %d in the PLT\n", path, tally->named,
	       tally->unnamed, tally->stubs);
	names_close(n);
	close_truth(&t);
}

static void as_libdw_says(void **state)
{
	static const char *const files[] = {
		"/usr/bin/python3",
		"/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/bin/bash",
		"/lib/x86_64-linux-gnu/libc.so.6",
	};
	struct tally tally;
	int compared = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (access(files[i], R_OK))
			continue;
		compare_file(files[i], 1500, &tally);
		assert_true(tally.named > 50);
		compared++;
	}
	compare_file("/proc/self/exe", 1500, &tally); /* with all of its symbols */
	assert_true(tally.named > 1200);
	assert_true(compared > 0);
}

static void ten_thousand_addresses(void **state)
{
	const char *path = "/proc/self/exe";
	Elf64_Phdr code = code_of(path);
	struct names *n = names_open(false);
	struct names_counts counts;
	struct timespec a, b;
	uint64_t step = code.p_filesz / 10000 ? code.p_filesz / 10000 : 1;
	double ms;

	add_file(n, 7, path);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (uint64_t i = 0; i < 10000; i++)
		only_frame(n, file_frame(7, code.p_offset + i * step, true));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	printf("# 10,000 addresses: %.1f ms of CPU time, sanitizers included\n", ms);
	assert_true(ms < 1000);
	names_count(n, &counts);
	assert_int_equal(counts.frames, 10000);
	names_close(n);
}

/* ---- damaged files ---- */

static unsigned char *read_whole(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *bytes;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	bytes = malloc(*size);
	assert_int_equal(read(fd, bytes, *size), *size);
	close(fd);
	return bytes;
}

static void ask_all(const char *path, size_t size)
{
	struct names *n = names_open(false);
	const struct stack_frame *const *frames;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!names_file(n, 7, fd, path, -1))
		for (uint64_t at = 0; at < size; at += 61)
			assert_true(names_frames(n, file_frame(7, at, true), 0, &frames) == 1);
	close(fd);
	names_close(n);
}

/* Bytes of headers and tables become other ones, mostly those that are far out. */
static void damage(unsigned char *bytes, size_t size)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
	size_t n = 1 + (size_t)random() % 8;

	for (size_t i = 0; i < n; i++) {
		size_t at = (size_t)random() % size;

		switch (random() % 3) {
		case 0:
			at = (size_t)random() % 1024;
			break;
		case 1: /* the sections' headers stand at the end */
			at = size - 1 - (size_t)random() % 2048;
		}
		bytes[at] = random() % 2 ? values[random() % 5] : (unsigned char)random();
	}
}

static void damaged_files_do_no_harm(void **state)
{
	static const char *const files[] = { "known", "known.stripped", "known.mini",
					     "plain.mini" };
	const char *path = in(fixtures(), "damaged");
	char to[256];

	snprintf(to, sizeof(to), "%s", path);
	srandom(3);
	for (size_t i = 0; i < 400; i++) {
		size_t size, kept;
		unsigned char *bytes = read_whole(in(fixtures(), files[i % 4]), &size);
		int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		damage(bytes, size);
		kept = i % 5 ? size : (size_t)random() % size;
		assert_int_equal(write(fd, bytes, kept), kept);
		close(fd);
		ask_all(to, size);
		free(bytes);
	}
}

static int tear_down(void **state)
{
	remove_fixtures();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_libdw_says),
		cmocka_unit_test(ten_thousand_addresses),
		cmocka_unit_test(damaged_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
