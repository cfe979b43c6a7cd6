/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: where options may stand, what ends them, and that each mistake is
 * refused with a line that names it. The probes are two of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include "options.h"
#include "probe.h"

static const struct source sources[] = { { .name = "tp_btf" }, { .name = "raw_tp" }, {} };
static const struct probe_class alpha = { .name = "alpha", .summary = "a", .sources = sources };
static const struct probe_class beta = { .name = "beta", .summary = "b", .sources = sources };
const struct probe_class *const probe_classes[] = { &alpha, &beta, NULL };

#define MAX_WORDS 32

static struct options o;
static char line_copy[256];
static char *words[MAX_WORDS + 1];

/* Parses "run -j x" as a shell without quotes would hand it over. */
static int parse(const char *line)
{
	static char name[] = "dwell";
	char *save = NULL;
	int n = 0;

	options_free(&o);
	assert_true(strlen(line) < sizeof(line_copy));
	strcpy(line_copy, line);
	words[n++] = name;
	for (char *w = strtok_r(line_copy, " ", &save); w && n < MAX_WORDS;
	     w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	words[n] = NULL;
	return options_parse(&o, n, words);
}

static void refused(const char *line, const char *message)
{
	if (parse(line) != -EINVAL)
		fail_msg("'%s' was taken", line);
	assert_string_equal(err_text(), message);
	assert_true(*err_hint_text() || strstr(message, "did you mean"));
}

static void defaults(void **state)
{
	assert_int_equal(parse("run true"), 0);
	assert_int_equal(o.command, COMMAND_RUN);
	assert_int_equal(o.interval_ms, 100);
	assert_int_equal(o.max_interval_ms, 1000);
	assert_null(o.probes);
	assert_int_equal(o.argc, 1);
	assert_string_equal(o.argv[0], "true");
	assert_null(o.argv[1]);
}

static void options_before_and_after(void **state)
{
	/* clang-format off */
	static const char *const lines[] = {
		"-j -o f -i 5 run x", "run -j -o f -i 5 x", "-j run --out=f -i5 -- x",
		"--interval=5 -jof run x", "--out f run -ji 5 x",
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_int_equal(parse(lines[i]), 0);
		assert_true(o.json);
		assert_string_equal(o.out, "f");
		assert_int_equal(o.interval_ms, 5);
		assert_int_equal(o.argc, 1);
		assert_string_equal(o.argv[0], "x");
	}
}

static void the_commands_words_are_its_own(void **state)
{
	assert_int_equal(parse("run ls -j --out=f -- run"), 0);
	assert_false(o.json);
	assert_null(o.out);
	assert_int_equal(o.argc, 5);
	assert_string_equal(o.argv[3], "--");
	assert_int_equal(parse("run -q -- -x -j"), 0);
	assert_string_equal(o.argv[0], "-x");
	assert_false(o.json);
	assert_int_equal(parse("run -- -- x"), 0);
	assert_string_equal(o.argv[0], "--");
	assert_int_equal(parse("-- run x"), 0);
	assert_string_equal(o.argv[0], "x");
}

static void attach_takes_pids(void **state)
{
	assert_int_equal(parse("attach 12 -d 1.5 34 12"), 0);
	assert_int_equal(o.npids, 2);
	assert_int_equal(o.pids[0], 12);
	assert_int_equal(o.pids[1], 34);
	assert_true(o.duration_s > 1.49 && o.duration_s < 1.51);
	assert_int_equal(parse("attach --name nginx"), 0);
	assert_string_equal(o.name, "nginx");
	refused("attach", "attach: no PID, --name, --cgroup or --all");
	refused("attach --all 3", "attach: --all is every process, and there are others named");
	refused("attach 1x", "'1x' is not a process id");
	refused("attach 0", "'0' is not a process id");
	refused("attach 99999999999999999999", "'99999999999999999999' is not a process id");
	refused("attach -1", "unknown option '-1'");
}

static void probes_and_sources(void **state)
{
	assert_int_equal(parse("run --probes beta,alpha --source beta=raw_tp --limit t=4 x"), 0);
	assert_string_equal(o.probes, "beta,alpha");
	assert_int_equal(o.nforced, 1);
	assert_string_equal(o.forced[0].probe, "beta");
	assert_string_equal(o.forced[0].source, "raw_tp");
	assert_int_equal(o.nlimits, 1);
	assert_string_equal(o.limits[0].name, "t");
	assert_int_equal(o.limits[0].entries, 4);
	refused("run --probes alpha,gamma x", "unknown probe 'gamma'; there are: alpha, beta");
	refused("run --probes alpha, x", "unknown probe ''; there are: alpha, beta");
	refused("run --source gamma=tp_btf x", "unknown probe 'gamma'; there are: alpha, beta");
	refused("run --source beta=kprobe x",
		"probe 'beta' has no source 'kprobe'; it has: tp_btf, raw_tp");
	refused("run --source beta x", "option '--source': 'beta' is not PROBE=NAME");
	refused("run --limit t=0 x",
		"option '--limit': 't=0' is not NAME=N with N from 1 to 2147483647");
	refused("run --limit =1 x",
		"option '--limit': '=1' is not NAME=N with N from 1 to 2147483647");
}

static void outputs_of_stacks(void **state)
{
	static const char *const wanting[] = {
		"run --folded f x",
		"run --pprof f x",
		"run --speedscope f x",
		"run --flame f.svg x",
	};

	assert_int_equal(parse("run x"), 0);
	assert_false(options_want_stacks(&o));
	for (size_t i = 0; i < sizeof(wanting) / sizeof(*wanting); i++) {
		assert_int_equal(parse(wanting[i]), 0);
		assert_true(options_want_stacks(&o));
		assert_false(options_owns_stdout(&o));
	}
	assert_int_equal(parse("run --folded - --folded-state first --flame a.b.html x"), 0);
	assert_true(options_owns_stdout(&o));
	assert_int_equal(o.folded_state, FOLDED_STATE_FIRST);
	assert_string_equal(o.flame, "a.b.html");
	assert_int_equal(parse("run --flame - x"), 0);
	assert_int_equal(parse("run --flame /dev/stdout -o f -j x"), 0);
	refused("run --folded-state top x",
		"option '--folded-state': 'top' is neither first nor last nor none");
	refused("run --flame f.png x",
		"option '--flame': 'f.png' ends neither in .svg nor in .html");
	refused("run --json --pprof - x", "--json and --pprof would both write to stdout");
	refused("run --speedscope - --flame /dev/stdout x",
		"--speedscope and --flame would both write to stdout");
	refused("run --no-ebpf --folded f x", "stacks need BPF, which --no-ebpf switches off");
	refused("run --probes alpha --folded f x",
		"--folded needs the probe 'stacks', which --probes leaves out");
}

static void bad_numbers(void **state)
{
	static const char *const bad[] = {
		"-5", "0", "5x", "0x5", "1e3", "4294967396", "+5", "1.5"
	};
	static const char *const bad_seconds[] = { "-1",    "nan", "inf", "0x3",
						   "1e999", "1s",  "e",   "+1" };
	char line[64], message[160];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(line, sizeof(line), "run -i %s x", bad[i]);
		snprintf(message, sizeof(message),
			 "option '--interval': '%s' is not a number of "
			 "milliseconds from 1 to 86400000",
			 bad[i]);
		refused(line, message);
	}
	for (size_t i = 0; i < sizeof(bad_seconds) / sizeof(*bad_seconds); i++) {
		snprintf(line, sizeof(line), "run --duration=%s x", bad_seconds[i]);
		snprintf(message, sizeof(message),
			 "option '--duration': '%s' is not a number of "
			 "seconds (0: until the end)",
			 bad_seconds[i]);
		refused(line, message);
	}
	refused("run -i 500 -m 100 x", "--max-interval 100 is below --interval 500");
	assert_int_equal(parse("run -i 5000 x"), 0);
	assert_int_equal(o.max_interval_ms, 5000);
}

static void unknown_words(void **state)
{
	refused("run --jsn x", "unknown option '--jsn'; did you mean '--json'?");
	refused("run -json x", "unknown option '-json'; did you mean '--json'?");
	refused("run --wait x", "unknown option '--wait'; did you mean '--wait-all'?");
	refused("run --zzz=3 x", "unknown option '--zzz=3'");
	refused("run -jqx y", "unknown option '-jqx'");
	refused("attch 3", "unknown command 'attch'; did you mean 'attach'?");
	refused("make", "unknown command 'make'");
	assert_string_equal(err_hint_text(), "to run a program: dwell run -- make");
	refused("", "no command; use run, attach, stats, schema or doctor");
}

static void misplaced(void **state)
{
	refused("run", "run: no program to run");
	refused("run --", "run: no program to run");
	refused("run --out", "option '--out' needs a value: FILE");
	refused("run --out= x", "option '--out' needs a FILE that is not empty");
	refused("run --json=1 x", "option '--json' takes no value");
	refused("attach --wait-all 3", "option '--wait-all' does not apply to 'attach'");
	refused("--wait-all attach 3", "option '--wait-all' does not apply to 'attach'");
	refused("stats", "stats: no FILE");
	refused("stats a b", "'stats' takes one FILE, and 'b' is the second");
	refused("schema x", "'schema' takes no arguments, and there is 'x'");
}

/* run's own failures are 125, for its other codes are the program's. */
static void exit_codes(void **state)
{
	assert_int_not_equal(parse("--zzz run x"), 0);
	assert_int_equal(options_usage_exit(&o), 125);
	assert_int_not_equal(parse("attach --zzz"), 0);
	assert_int_equal(options_usage_exit(&o), 2);
	assert_int_not_equal(parse("zzz"), 0);
	assert_int_equal(options_usage_exit(&o), 2);
}

static void ebpf_switches(void **state)
{
	assert_int_equal(parse("run --enable-ebpf --no-ebpf x"), 0);
	assert_true(o.no_ebpf && !o.enable_ebpf);
	assert_int_equal(parse("run --no-ebpf --enable-ebpf x"), 0);
	assert_true(o.enable_ebpf && !o.no_ebpf);
}

static void help_forgives(void **state)
{
	assert_int_equal(parse("run --help"), 0);
	assert_true(o.help);
	assert_int_equal(parse("attach -h"), 0);
	assert_int_equal(parse("-V"), 0);
	assert_true(o.version);
	assert_int_equal(parse("help run"), 0);
	assert_int_equal(o.command, COMMAND_HELP);
	refused("help mak", "unknown command 'mak'");
}

/* Every option a command takes is in its help, and help fits its width. */
static void help_is_complete(void **state)
{
	for (enum command_id c = COMMAND_NONE; c < COMMANDS; c++) {
		char *text = NULL, name[64];
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);

		help_print(f, c, 80);
		fclose(f);
		for (const struct option_row *row = option_table; row->name; row++) {
			snprintf(name, sizeof(name), "--%s%s%s", row->name, row->arg ? " " : "",
				 row->arg ? row->arg : "");
			if (row->commands & (1U << c))
				assert_non_null(strstr(text, name));
		}
		for (const char *l = text; *l; l += strcspn(l, "\n") + 1) {
			if (strcspn(l, "\n") > 88)
				fail_msg("too wide: %.*s", (int)strcspn(l, "\n"), l);
		}
		free(text);
	}
}

static int forget(void **state)
{
	options_free(&o);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(options_before_and_after),
		cmocka_unit_test(the_commands_words_are_its_own),
		cmocka_unit_test(attach_takes_pids),
		cmocka_unit_test(probes_and_sources),
		cmocka_unit_test(outputs_of_stacks),
		cmocka_unit_test(bad_numbers),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(misplaced),
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(ebpf_switches),
		cmocka_unit_test(help_forgives),
		cmocka_unit_test(help_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
