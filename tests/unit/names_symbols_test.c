/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which symbol names an address of a file whose symbols are known: every byte of every function,
 * aliases, gaps, labels, mangled names, indirect functions, the PLT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names_help.h"

static int tear_down(void **state)
{
	remove_fixtures();
	return 0;
}

/* One of nm's functions that hold the address, or start there without a size. */
static bool may_be_called(const struct known *known, size_t count, const char *name,
			  uint64_t address)
{
	for (size_t i = 0; i < count; i++) {
		const struct known *k = &known[i];

		if (strchr("tTwWi", k->type) && !strcmp(k->name, name) && address >= k->address &&
		    (!k->size || address < k->address + k->size))
			return true;
	}
	return false;
}

static void every_byte_of_every_function(void **state)
{
	struct names *n = open_with("known");
	size_t checked = 0, count;
	struct known *known = read_known(in(fixtures(), "known.nm"), &count);

	for (size_t i = 0; i < count; i++) {
		const struct known *k = &known[i];
		const char *name;

		if (!strchr("tTwW", k->type) || strncmp(k->name, "_Z", 2) == 0 ||
		    strncmp(k->name, "_R", 2) == 0 || strncmp(k->name, "_D", 2) == 0 ||
		    !strcmp(k->name, "choose"))
			continue;
		for (uint64_t at = k->address; at < k->address + k->size; at++, checked++) {
			name = name_at(n, "known", at);
			if (!may_be_called(known, count, name, at))
				fail_msg("%lx in %s is called %s", at, k->name, name);
		}
	}
	assert_in_range(checked, 300, 10000);
	free(known);
	names_close(n);
}

static void assert_name(const char *symbol, uint64_t bytes, const char *name)
{
	struct names *n = open_with("known");

	assert_string_equal(name_at(n, "known", known_address(symbol) + bytes), name);
	names_close(n);
}

static void assert_not_called(const char *symbol, uint64_t bytes)
{
	struct names *n = open_with("known");

	assert_string_not_equal(name_at(n, "known", known_address(symbol) + bytes), symbol);
	names_close(n);
}

static void behind_a_function_is_no_name(void **state)
{
	char expected[64];

	assert_name("fixture_second", 15, "fixture_second");
	snprintf(expected, sizeof(expected), "known+0x%lx", known_address("fixture_second") + 16);
	assert_name("fixture_second", 16, expected);
	snprintf(expected, sizeof(expected), "known+0x%lx", known_address("fixture_second") + 31);
	assert_name("fixture_second", 31, expected);
}

static void without_a_size_up_to_the_next(void **state)
{
	assert_name("bare_label", 0, "bare_label");
	assert_name("bare_label", 31, "bare_label");
	assert_name("bare_label", 32, "after_label");
	assert_name("tail_label", 23, "tail_label"); /* its section ends there */
	assert_not_called("tail_label", 24);
}

static void the_inner_function_counts(void **state)
{
	assert_name("nested_outer", 0, "nested_outer");
	assert_name("nested_inner", 0, "nested_inner");
	assert_name("nested_inner", 15, "nested_inner");
	assert_name("label_inside", 0, "nested_outer"); /* a label, no function */
	assert_name("label_inside", 15, "nested_outer");
}

static void the_best_of_several_names(void **state)
{
	assert_name("alias_name", 0, "alias_name");
	assert_name("alias_name", 15, "alias_name");
}

static void mangled_names_are_read(void **state)
{
	assert_name("_ZN9wikipedia7article8print_toERSo", 1,
		    "wikipedia::article::print_to(std::ostream&)");
	assert_name("_ZSt4sortIPiEvT_S1_", 1, "void std::sort<int*>(int*, int*)");
	assert_name("_Z5coldyv.cold", 1, "coldy().cold");
	assert_name("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", 1,
		    "core::fmt::Write::write_fmt");
	assert_name("_ZN4core3fmt5Write9write_str17h0123456789abcdefE.llvm.123", 1,
		    "core::fmt::Write::write_str");
	assert_name("_ZN3foo28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE", 1,
		    "foo::{{closure}}");
	assert_name("_RNvNtCs1234_7mycrate3foo3bar", 1, "mycrate::foo::bar");
	assert_name("_RINvNtC3std3mem8align_ofjdE", 1, "std::mem::align_of::<usize, f64>");
	assert_name("_D3foo3barFZv", 1, "foo.bar()");
	assert_name("_Zwhat_is_this", 1, "_Zwhat_is_this");
}

static void indirect_functions_say_so(void **state)
{
	assert_name("chosen", 0, "chosen@ifunc");
}

/* What objdump calls the stubs; it has no name for a slot that a resolver fills. */
static void stubs_have_the_names_of_what_they_call(void **state)
{
	FILE *f = fopen(in(fixtures(), "known.plt"), "r");
	struct names *n = open_with("known.stripped"), *whole = open_with("known");
	uint64_t address;
	char name[256];
	int seen = 0;

	assert_non_null(f);
	while (fscanf(f, "%lx %255s", &address, name) == 2) {
		const char *expected = strncmp(name, "*ABS*", 5) ? name : NULL;

		if (expected)
			assert_string_equal(name_at(n, "known.stripped", address + 1), expected);
		else
			assert_string_equal(name_at(whole, "known", address), "chosen@plt");
		seen++;
	}
	fclose(f);
	assert_in_range(seen, 4, 10);
	names_close(whole);
	names_close(n);
}

#define HOSTILE 20000 /* functions of 16 bytes, all with one name of 64 KiB */
#define HOSTILE_NAME 65536

struct hostile {
	Elf64_Ehdr head;
	Elf64_Phdr code;
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[HOSTILE];
	char name[HOSTILE_NAME + 1];
};

static void make_hostile(const char *path)
{
	struct hostile *h = calloc(1, sizeof(*h));
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_non_null(h);
	memcpy(h->head.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	h->head.e_type = ET_DYN;
	h->head.e_machine = EM_X86_64;
	h->head.e_version = EV_CURRENT;
	h->head.e_ehsize = sizeof(h->head);
	h->head.e_phoff = offsetof(struct hostile, code);
	h->head.e_phentsize = sizeof(h->code);
	h->head.e_phnum = 1;
	h->head.e_shoff = offsetof(struct hostile, sections);
	h->head.e_shentsize = sizeof(h->sections[0]);
	h->head.e_shnum = 3;
	h->head.e_shstrndx = 2;
	h->code = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_filesz = sizeof(*h),
				.p_memsz = sizeof(*h) };
	h->sections[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
				       .sh_offset = offsetof(struct hostile, symbols),
				       .sh_size = sizeof(h->symbols),
				       .sh_entsize = sizeof(h->symbols[0]),
				       .sh_link = 2 };
	h->sections[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
				       .sh_offset = offsetof(struct hostile, name),
				       .sh_size = sizeof(h->name) };
	for (size_t i = 0; i < HOSTILE; i++)
		h->symbols[i] = (Elf64_Sym){ .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					     .st_shndx = 1,
					     .st_value = 16 * i,
					     .st_size = 16 };
	memset(h->name, 'x', HOSTILE_NAME);
	assert_int_equal(write(fd, h, sizeof(*h)), sizeof(*h));
	close(fd);
	free(h);
}

/* They would be 1.3 GB: names are cut, the last functions have none, and it is said. */
static void names_beyond_all_measure_are_bounded(void **state)
{
	const char *path = in(fixtures(), "hostile");
	struct names *n = names_open(false);
	struct names_counts counts;
	const char *name;

	make_hostile(path);
	add_file(n, KNOWN_FILE, path);
	name = only_frame(n, file_frame(KNOWN_FILE, 1, true))->name;
	assert_int_equal(strspn(name, "x"), 16384);
	assert_int_equal(strlen(name), 16384);
	names_count(n, &counts);
	assert_int_equal(counts.files_lost, 1);
	name = only_frame(n, file_frame(KNOWN_FILE, 16 * HOSTILE - 1, true))->name;
	assert_string_equal(name, "hostile+0x4e1ff");
	names_count(n, &counts);
	assert_int_equal(counts.files_lost, 1);
	names_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_beyond_all_measure_are_bounded),
		cmocka_unit_test(every_byte_of_every_function),
		cmocka_unit_test(behind_a_function_is_no_name),
		cmocka_unit_test(without_a_size_up_to_the_next),
		cmocka_unit_test(the_inner_function_counts),
		cmocka_unit_test(the_best_of_several_names),
		cmocka_unit_test(mangled_names_are_read),
		cmocka_unit_test(indirect_functions_say_so),
		cmocka_unit_test(stubs_have_the_names_of_what_they_call),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
