/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, numbers and classes of system calls, against the compiler's own view of the headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#include "names.h"

/* Calls that never did anything on Linux, or nothing for decades. */
/* clang-format off */
static const char *const classless[] = {
	"afs_syscall", "tuxcall", "security", "vserver", "getpmsg", "putpmsg", "break", "gtty",
	"stty", "lock", "mpx", "prof", "profil", "ulimit", "idle",
};
/* clang-format on */

static bool is_classless(const char *name)
{
	for (size_t i = 0; i < sizeof(classless) / sizeof(*classless); i++) {
		if (!strcmp(name, classless[i]))
			return true;
	}
	return false;
}

static void numbers_are_the_headers(void **state)
{
	assert_string_equal(syscall_name(SYS_read), "read");
	assert_string_equal(syscall_name(SYS_openat), "openat");
	assert_string_equal(syscall_name(SYS_futex_waitv), "futex_waitv");
	assert_int_equal(syscall_number("newfstatat"), SYS_newfstatat);
	assert_int_equal(syscall_number("io_uring_enter"), SYS_io_uring_enter);
	assert_int_equal(syscall_number("no_such_call"), -1);
	assert_null(syscall_name(-1));
	assert_null(syscall_name(syscall_max() + 1));
	assert_true(syscall_max() >= SYS_futex_waitv);
}

static void a_name_and_its_number_lead_back(void **state)
{
	int named = 0;

	for (int nr = 0; nr <= syscall_max(); nr++) {
		if (!syscall_name(nr))
			continue;
		assert_int_equal(syscall_number(syscall_name(nr)), nr);
		named++;
	}
	assert_true(named > 300);
}

static void foreign_conventions_have_their_own_numbers(void **state)
{
#ifdef __x86_64__
	assert_string_equal(syscall_abi_name(ABI_I386, 20), "getpid");
	assert_string_equal(syscall_abi_name(ABI_I386, 173), "rt_sigreturn");
	assert_string_equal(syscall_abi_name(ABI_X32, 512), "rt_sigaction");
	assert_string_equal(syscall_abi_name(ABI_X32, 39), "getpid");
#endif
	assert_null(syscall_abi_name(ABI_URING, 0));
}

static void what_has_no_name_has_a_label(void **state)
{
	char buf[CALL_LABEL_LEN];

	assert_string_equal(syscall_label(ABI_NATIVE, 0, buf), syscall_name(0));
	assert_string_equal(syscall_label(ABI_NATIVE, 5000, buf), "syscall_5000");
	assert_string_equal(syscall_label(ABI_I386, 5000, buf), "i386:syscall_5000");
	assert_string_equal(syscall_label(ABI_X32, UINT32_MAX, buf), "x32:syscall_4294967295");
	assert_string_equal(uring_label(IORING_OP_SPLICE, buf), "splice");
	assert_string_equal(uring_label(IORING_OP_NOP, buf), "nop");
	assert_string_equal(uring_label(255, buf), "op_255");
}

static void errors_have_their_names(void **state)
{
	char buf[CALL_LABEL_LEN];

	assert_string_equal(errno_label(ENOENT, buf), "ENOENT");
	assert_string_equal(errno_label(EAGAIN, buf), "EAGAIN");
	assert_string_equal(errno_label(EOPNOTSUPP, buf), "EOPNOTSUPP");
	assert_string_equal(errno_label(512, buf), "ERESTARTSYS");
	assert_string_equal(errno_label(516, buf), "ERESTART_RESTARTBLOCK");
	assert_string_equal(errno_label(0, buf), "other");
	assert_string_equal(errno_label(4000, buf), "errno_4000");
}

static void every_name_has_a_class(void **state)
{
	for (int abi = ABI_NATIVE; abi <= ABI_X32; abi++) {
		for (int nr = 0; nr <= syscall_abi_max(abi); nr++) {
			const char *name = syscall_abi_name(abi, (uint32_t)nr);

			if (name && syscall_class(name) == CLASS_OTHER && !is_classless(name))
				fail_msg("%s has no class: see classes.c", name);
		}
	}
}

/* Calls from every part of the list: bsearch finds them only if it is sorted. */
static void classes_are_by_what_the_call_does(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name, *class;
	} want[] = {
		{ "accept", "network" }, { "brk", "memory" }, { "chmod", "security" },
		{ "clock_nanosleep", "time" }, { "epoll_wait", "file_io" }, { "eventfd2", "ipc" },
		{ "futex", "ipc" }, { "getrandom", "system" }, { "io_uring_enter", "file_io" },
		{ "landlock_add_rule", "security" }, { "madvise", "memory" }, { "mseal", "memory" },
		{ "newfstatat", "file_io" }, { "pipe2", "ipc" }, { "poll", "file_io" },
		{ "ppoll", "file_io" }, { "rt_sigaction", "signal" },
		{ "set_robust_list", "process" }, { "statfs", "file_io" }, { "statx", "file_io" },
		{ "timerfd_create", "time" }, { "uname", "system" }, { "unshare", "process" },
		{ "writev", "file_io" }, { "tuxcall", "other" }, { "not_a_call", "other" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
		assert_string_equal(syscall_class_name(syscall_class(want[i].name)), want[i].class);
	assert_int_equal(syscall_class(NULL), CLASS_OTHER);
}

static void classes_have_the_contracts_names_and_order(void **state)
{
	static const char *const names[] = { "file_io", "memory",   "process", "network", "time",
					     "ipc",     "security", "signal",  "system",  "other" };

	assert_int_equal(SYSCALL_CLASSES, sizeof(names) / sizeof(*names));
	for (int i = 0; i < SYSCALL_CLASSES; i++)
		assert_string_equal(syscall_class_name(i), names[i]);
}

static void every_number_has_a_slot_of_its_own(void **state)
{
	for (int nr = 0; nr <= syscall_max(); nr++) {
		if (!syscall_name(nr))
			continue;
		assert_true(call_slot((uint64_t)nr) < CALL_SLOTS);
		assert_int_equal(slot_call(call_slot((uint64_t)nr)), nr);
	}
	assert_int_equal(call_slot(CALLS_LOW), CALL_SLOTS);
	assert_int_equal(call_slot(CALLS_HIGH_FIRST + CALLS_HIGH), CALL_SLOTS);
	assert_int_equal(call_slot((uint64_t)-1), CALL_SLOTS);
	assert_int_equal(call_slot(0x40000000), CALL_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_the_headers),
		cmocka_unit_test(a_name_and_its_number_lead_back),
		cmocka_unit_test(foreign_conventions_have_their_own_numbers),
		cmocka_unit_test(what_has_no_name_has_a_label),
		cmocka_unit_test(errors_have_their_names),
		cmocka_unit_test(every_name_has_a_class),
		cmocka_unit_test(classes_are_by_what_the_call_does),
		cmocka_unit_test(classes_have_the_contracts_names_and_order),
		cmocka_unit_test(every_number_has_a_slot_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
