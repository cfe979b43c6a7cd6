/* SPDX-License-Identifier: BSD-2-Clause */
/* `dwell stats FILE`: statistics of recorded JSONL, as text or (--json) as one object. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "options.h"
#include "stats_read.h"
#include "states.h"
#include "term.h"

#define NAME_COLUMNS 16

static uint64_t u64_of(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static double real_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void row(const char *name, const char *value)
{
	printf("%-*s%s\n", NAME_COLUMNS, name, value);
}

static void print_text(const char *name, const json_t *value, bool utf8)
{
	char text[512];

	if (json_is_string(value))
		row(name, format_clean(text, sizeof(text), json_string_value(value), utf8));
}

static void print_exit(const json_t *run)
{
	const json_t *e = json_object_get(run, "exit");

	if (json_is_integer(json_object_get(e, "signal")))
		printf("%-*ssignal %llu\n", NAME_COLUMNS, "exit",
		       (unsigned long long)u64_of(e, "signal"));
	else if (json_is_integer(json_object_get(e, "code")))
		printf("%-*scode %llu\n", NAME_COLUMNS, "exit",
		       (unsigned long long)u64_of(e, "code"));
}

static void print_pair(const char *name, uint64_t a, const char *a_is, uint64_t b, const char *b_is,
		       char *(*format)(char buf[FORMAT_LEN], uint64_t n))
{
	char first[FORMAT_LEN], second[FORMAT_LEN];

	printf("%-*s%s %s, %s %s\n", NAME_COLUMNS, name, format(first, a), a_is, format(second, b),
	       b_is);
}

static void print_samples(const json_t *s)
{
	char text[FORMAT_LEN];

	if (!u64_of(s, "sample_count")) {
		row("samples", "none");
		return;
	}
	row("samples", format_count(text, u64_of(s, "sample_count")));
	printf("%-*s%.1f %% of a core\n", NAME_COLUMNS, "CPU", real_of(s, "avg_cpu_usage"));
	printf("%-*s%s at most\n", NAME_COLUMNS, "memory",
	       format_bytes(text, u64_of(s, "peak_mem_rss_kb") * 1024));
	print_pair("at once", u64_of(s, "max_processes"), "processes", u64_of(s, "max_threads"),
		   "threads", format_count);
	print_pair("disk", u64_of(s, "total_disk_read_bytes"), "read",
		   u64_of(s, "total_disk_write_bytes"), "written", format_bytes);
	if (json_object_get(s, "total_syscall_read_bytes"))
		print_pair("by calls", u64_of(s, "total_syscall_read_bytes"), "read",
			   u64_of(s, "total_syscall_write_bytes"), "written", format_bytes);
	if (json_object_get(s, "peak_page_faults_cached"))
		print_pair("page faults", u64_of(s, "peak_page_faults_cached"), "without I/O",
			   u64_of(s, "peak_page_faults_disk"), "with", format_count);
	print_pair("network", u64_of(s, "total_sys_net_rx_bytes"), "received",
		   u64_of(s, "total_sys_net_tx_bytes"), "sent, by the whole system", format_bytes);
}

static void print_calls(const json_t *s)
{
	const json_t *c = json_object_get(s, "syscalls");
	const json_t *m = json_object_get(s, "memory_characterization");

	if (c)
		printf("%-*s%.1f a second: %.0f %% file I/O, %.0f %% memory, %.0f %% network\n",
		       NAME_COLUMNS, "system calls", real_of(c, "avg_syscall_rate_per_sec"),
		       100 * real_of(c, "avg_io_syscall_fraction"),
		       100 * real_of(c, "avg_memory_syscall_fraction"),
		       100 * real_of(c, "avg_network_syscall_fraction"));
	if (m)
		print_text("memory verdict", json_object_get(m, "verdict"), false);
}

static void print_states(const json_t *ledger, bool utf8)
{
	const json_t *states = json_object_get(ledger, "states");
	uint64_t lifetime = u64_of(ledger, "lifetime_ns");

	if (!json_is_object(states))
		return;
	printf("\n%-*s%10s %8s %12s\n", NAME_COLUMNS, "where time went", "time", "share", "times");
	for (int i = 0; i < LEDGER_STATES; i++) {
		const json_t *state = json_object_get(states, ledger_state_names[i]);
		char time[FORMAT_LEN], share[FORMAT_LEN], count[FORMAT_LEN];
		uint64_t ns = u64_of(state, "ns");

		if (!ns)
			continue;
		printf("%-*s%*s %8s %12s\n", NAME_COLUMNS, ledger_state_names[i],
		       10 + (utf8 && strstr(format_duration(time, ns, utf8), "\u00b5") ? 1 : 0),
		       format_duration(time, ns, utf8), format_share(share, ns, lifetime),
		       format_count(count, u64_of(state, "count")));
	}
}

static void print_trust(const json_t *s)
{
	const json_t *t = json_object_get(s, "trust"),
		     *percent = json_object_get(t, "accounted_percent");
	char lost[FORMAT_LEN];

	if (!t)
		return;
	printf("\n%-*s", NAME_COLUMNS, "trust");
	if (percent)
		printf("%.3f %% accounted, ", json_number_value(percent));
	printf("%s lost%s\n", format_count(lost, u64_of(t, "lost_total")),
	       json_is_false(json_object_get(t, "reconcile_ok"))
		       ? "; the kernel's own figures disagree: see trust.reconcile"
		       : "");
}

static void print_stats(const json_t *s)
{
	struct text_style style = text_style_of(stdout, true);
	const json_t *run = json_object_get(s, "run");
	char text[FORMAT_LEN];

	print_text("target", json_object_get(run, "target"), style.utf8);
	row("time",
	    format_duration(text, (uint64_t)(real_of(s, "total_time_secs") * 1e9), style.utf8));
	print_exit(run);
	if (json_object_get(run, "processes"))
		print_pair("there were", u64_of(run, "processes"), "processes",
			   u64_of(run, "threads"), "threads", format_count);
	print_samples(s);
	print_calls(s);
	print_states(json_object_get(s, "ledger"), style.utf8);
	if (json_object_get(run, "verdict"))
		putchar('\n');
	print_text("verdict", json_object_get(run, "verdict"), style.utf8);
	print_trust(s);
}

static int read_file(struct stats *s, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	int err;

	if (!f)
		return err_set(-errno, "cannot read '%s'", path);
	err = stats_read(s, f, is_stdin ? "standard input" : path);
	if (!is_stdin)
		fclose(f);
	return err;
}

int cmd_stats(struct options *o)
{
	struct stats stats;
	json_t *json;
	int err;

	stats_init(&stats);
	err = read_file(&stats, o->argv[0]);
	if (err) {
		stats_release(&stats);
		return EXIT_DWELL_FAILED;
	}
	json = stats_json(&stats);
	if (o->json) {
		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
		putchar('\n');
	} else {
		print_stats(json);
	}
	json_decref(json);
	stats_release(&stats);
	if (fflush(stdout) || ferror(stdout)) {
		err_set(-errno, "cannot write to stdout");
		return EXIT_DWELL_FAILED;
	}
	return 0;
}
