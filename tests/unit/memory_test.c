/* SPDX-License-Identifier: BSD-2-Clause */
/* What the memory probe reads by itself: PSS, the CPU's counters, names of kernel places. */
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kallsyms.h"
#include "pmu.h"
#include "pss.h"

static const char rollup[] = "55d0c0000000-7ffd3f5fe000 ---p 00000000 00:00 0    [rollup]\n"
			     "Rss:                5432 kB\n"
			     "Pss:                1234 kB\n"
			     "Pss_Dirty:           400 kB\n"
			     "Swap:                  8 kB\n"
			     "SwapPss:               4 kB\n";

static void pss_is_read_from_its_own_line(void **state)
{
	struct pss pss;

	assert_int_equal(pss_parse(rollup, &pss), 0);
	assert_int_equal(pss.rss, 5432 * 1024);
	assert_int_equal(pss.pss, 1234 * 1024);
	assert_int_equal(pss.swap_pss, 4 * 1024);
}

static void text_without_pss_is_refused(void **state)
{
	struct pss pss;

	assert_int_equal(pss_parse("", &pss), -EINVAL);
	assert_int_equal(pss_parse("Rss: 12 kB\nPss_Dirty: 3 kB\n", &pss), -EINVAL);
	assert_int_equal(pss_parse("Rss: 12 kB\nPss: 3\n", &pss), -EINVAL);
	assert_int_equal(pss_parse("Rss: 12 kB\nPss: 3 kB\n", &pss), 0);
	assert_int_equal(pss.swap_pss, 0);
}

static void own_pss_is_within_own_rss(void **state)
{
	struct pss pss;

	assert_int_equal(pss_read(getpid(), &pss), 0);
	assert_true(pss.pss > 0 && pss.pss <= pss.rss);
	assert_true(pss_read(0x7fffffff, &pss) < 0);
}

static void counts_are_scaled_to_the_whole_time(void **state)
{
	assert_int_equal(pmu_scale(1000, 500, 500), 1000);
	assert_int_equal(pmu_scale(1000, 1000, 250), 4000);
	assert_int_equal(pmu_scale(1000, 1000, 0), 1000); /* never ran: not shown at all */
	assert_int_equal(pmu_scale(0, 1000, 1), 0);
}

#define TOUCHED 3000

static void child_touches(void)
{
	size_t size = TOUCHED * (size_t)getpagesize();
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		_exit(1);
	madvise(at, size, MADV_NOHUGEPAGE);
	memset(at, 1, size);
}

/* As dwell's launcher does: waits for the word, forks a child of our own that execs, is gone. */
static void launcher(const char *self, int wait)
{
	char c;
	pid_t pid;

	if (read(wait, &c, 1) != 1)
		_exit(1);
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		execl(self, self, "touch", (char *)NULL);
		_exit(127);
	}
	_exit(pid < 0);
}

static const char *self_path;

static void counters_follow_the_command_from_its_exec(void **state)
{
	static const struct pmu_want wants[] = {
		{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
		{ PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	};
	struct pmu_counts counts;
	struct rusage usage;
	struct pmu pmu;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid)
		launcher(self_path, fds[0]);
	pmu_open(&pmu, pid, wants, 2);
	if (pmu.fds[0] < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		skip(); /* perf events are not permitted here */
	}
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(wait4(-1, NULL, 0, &usage) > 0);
	pmu_read(&pmu, &counts);
	pmu_close(&pmu);
	assert_true(counts.events[0].present && counts.events[1].present);
	assert_false(counts.events[2].present);
	assert_int_equal(counts.events[2].error, -ENOENT);
	/* parent and child touched, after the exec; wait4 has also what came before it */
	assert_true(counts.events[0].count >= 2 * TOUCHED);
	assert_true(counts.events[0].count <= (uint64_t)(usage.ru_minflt + usage.ru_majflt));
	assert_true(counts.events[1].count > 0);
	assert_int_equal(counts.events[0].enabled_ns, counts.events[0].running_ns);
	close(fds[0]);
	close(fds[1]);
}

static void places_are_named_by_the_symbol_before(void **state)
{
	static char text[] = "ffffffff81000000 T _text\n"
			     "ffffffff81000100 t alloc_pipe_info\n"
			     "ffffffff81000800 D some_data\n"
			     "ffffffff81000200 t next_one\n"
			     "ffffffffc0001000 t in_module\t[zram]\n";
	struct kernel_place places[] = {
		{ .address = 0xffffffffc0001010 },
		{ .address = 0xffffffff81000150 },
		{ .address = 0xffffffff81000900 },
		{ .address = 0xffffffff81000120 },
		{ .address = 0x10 },
	};
	FILE *f = fmemopen(text, strlen(text), "r");

	assert_int_equal(kallsyms_read(f, places, 5), 0);
	fclose(f);
	assert_int_equal(places[0].address, 0x10);
	assert_int_equal(places[0].symbol, 0);
	assert_string_equal(places[1].name, "alloc_pipe_info");
	assert_string_equal(places[2].name, "alloc_pipe_info");
	assert_string_equal(places[3].name, "next_one"); /* data is no place to call from */
	assert_string_equal(places[4].name, "in_module");
	assert_int_equal(places[4].symbol, 0xffffffffc0001000);
}

static void hidden_addresses_are_no_names(void **state)
{
	static char text[] = "0000000000000000 T _text\n0000000000000000 t other\n";
	struct kernel_place place = { .address = 0xffffffff81000150 };
	FILE *f = fmemopen(text, strlen(text), "r");

	assert_int_equal(kallsyms_read(f, &place, 1), -EPERM);
	fclose(f);
	assert_int_equal(place.symbol, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pss_is_read_from_its_own_line),
		cmocka_unit_test(text_without_pss_is_refused),
		cmocka_unit_test(own_pss_is_within_own_rss),
		cmocka_unit_test(counts_are_scaled_to_the_whole_time),
		cmocka_unit_test(counters_follow_the_command_from_its_exec),
		cmocka_unit_test(places_are_named_by_the_symbol_before),
		cmocka_unit_test(hidden_addresses_are_no_names),
	};

	if (argc == 2 && !strcmp(argv[1], "touch")) {
		pid_t pid = fork();

		child_touches();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
		return 0;
	}
	self_path = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
