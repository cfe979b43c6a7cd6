/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The option table: every option's name, argument, commands, setter and help. A setter
 * stores one value and refuses a bad one with the whole reason; numbers are read whole:
 * sign, junk behind and overflow are refused. To add an option: a row here, a member in
 * struct options.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "options.h"
#include "options_refuse.h"
#include "probe.h"

#define MAX_INTERVAL_MS (24U * 3600 * 1000)
#define MAX_SAMPLE_INTERVAL 1000000U
#define MAX_DURATION_S 1e9
#define MAX_FREQUENCY 20000U
#define MAX_QUANTUM 3600000000U
#define MAX_QUANTUM_NS 3600000000000ULL
#define LIST_LEN 256

#define RUN (1U << COMMAND_RUN)
#define ATTACH (1U << COMMAND_ATTACH)
#define STATS (1U << COMMAND_STATS)
#define DOCTOR (1U << COMMAND_DOCTOR)
#define SCHEMA (1U << COMMAND_SCHEMA)
#define TARGET (RUN | ATTACH)
#define EVERY (~0U) /* and dwell without a command */

#define AT(member) offsetof(struct options, member)

static int set_flag(struct options *o, const struct option_row *row, const char *value)
{
	(void)value;
	*(bool *)((char *)o + row->offset) = true;
	return 0;
}

static int set_text(struct options *o, const struct option_row *row, const char *value)
{
	if (!*value)
		return refuse("option '--%s' needs a %s that is not empty", row->name, row->arg);
	*(const char **)((char *)o + row->offset) = value;
	return 0;
}

static int set_ms(struct options *o, const struct option_row *row, const char *value)
{
	unsigned long ms;

	if (!parse_number(value, MAX_INTERVAL_MS, &ms) || !ms)
		return refuse("option '--%s': '%s' is not a number of milliseconds from 1 to %u",
			      row->name, value, MAX_INTERVAL_MS);
	*(unsigned *)((char *)o + row->offset) = (unsigned)ms;
	return 0;
}

static int set_count(struct options *o, const struct option_row *row, const char *value)
{
	unsigned long n;

	if (!parse_number(value, MAX_SAMPLE_INTERVAL, &n) || !n)
		return refuse("option '--%s': '%s' is not a number from 1 to %u", row->name, value,
			      MAX_SAMPLE_INTERVAL);
	*(unsigned *)((char *)o + row->offset) = (unsigned)n;
	return 0;
}

static int set_seconds(struct options *o, const struct option_row *row, const char *value)
{
	char *end = NULL;
	double s = -1;

	/* strtod also takes signs, blanks, hex, inf and nan: we do not */
	if (value[strspn(value, "0123456789.e")] == '\0' && *value && *value != 'e')
		s = strtod(value, &end);
	if (!end || *end || !isfinite(s) || s < 0 || s > MAX_DURATION_S)
		return refuse("option '--%s': '%s' is not a number of seconds (0: until the end)",
			      row->name, value);
	*(double *)((char *)o + row->offset) = s;
	return 0;
}

static int set_ebpf(struct options *o, const struct option_row *row, const char *value)
{
	(void)value;
	o->enable_ebpf = row->offset == AT(enable_ebpf);
	o->no_ebpf = !o->enable_ebpf;
	return 0;
}

/* Options about stacks want them. */
static int set_of_stacks(struct options *o, const struct option_row *row, const char *value)
{
	o->stacks = true;
	return set_flag(o, row, value);
}

static int set_frequency(struct options *o, const struct option_row *row, const char *value)
{
	unsigned long hz;

	if (!parse_number(value, MAX_FREQUENCY, &hz) || !hz)
		return refuse("option '--%s': '%s' is not a number of samples a second from 1 to "
			      "%u",
			      row->name, value, MAX_FREQUENCY);
	o->stacks = true;
	o->frequency = (unsigned)hz;
	return 0;
}

/* "1ms", "500us", "2s", "0". */
static int set_quantum(struct options *o, const struct option_row *row, const char *value)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	size_t digits = strspn(value, "0123456789");
	char number[12] = "";
	unsigned long n = 0;
	uint64_t ns = 0;

	if (digits < sizeof(number))
		memcpy(number, value, digits);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(value + digits, units[i].unit))
			ns = units[i].ns;
	if (!parse_number(number, MAX_QUANTUM, &n) || (n && !ns) || n * ns > MAX_QUANTUM_NS)
		return refuse("option '--%s': '%s' is not a time like 1ms, 500us or 0 (each wait), "
			      "at most an hour",
			      row->name, value);
	o->stacks = true;
	o->stack_quantum_ns = n * ns;
	return 0;
}

static int set_python(struct options *o, const struct option_row *row, const char *value)
{
	o->no_python = !strcmp(value, "off");
	if (!o->no_python && strcmp(value, "on") != 0)
		return refuse("option '--%s': '%s' is neither on nor off", row->name, value);
	return 0;
}

static int set_folded_state(struct options *o, const struct option_row *row, const char *value)
{
	static const char *const names[] = {
		[FOLDED_STATE_LAST] = "last",
		[FOLDED_STATE_FIRST] = "first",
		[FOLDED_STATE_NONE] = "none",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		o->folded_state = (enum folded_state)i;
		return 0;
	}
	return refuse("option '--%s': '%s' is neither first nor last nor none", row->name, value);
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* By its name it is a page or a picture; stdout gets a picture. */
static int set_flame(struct options *o, const struct option_row *row, const char *value)
{
	if (!ends_in(value, ".svg") && !ends_in(value, ".html") && !path_is_stdout(value))
		return refuse("option '--%s': '%s' ends neither in .svg nor in .html", row->name,
			      value);
	o->flame = value;
	return 0;
}

/* "a, b, c" of every probe's name. */
static const char *probe_names(char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; probe_classes[i] && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					probe_classes[i]->name);
	return buf;
}

static const char *source_names(const struct probe_class *class, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; class->sources[i].name && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					class->sources[i].name);
	return buf;
}

static const struct probe_class *find_probe(const char *name, size_t len)
{
	for (size_t i = 0; probe_classes[i]; i++)
		if (strlen(probe_classes[i]->name) == len &&
		    !strncmp(probe_classes[i]->name, name, len))
			return probe_classes[i];
	return NULL;
}

static int refuse_probe(const char *name, size_t len)
{
	char list[LIST_LEN];

	return refuse("unknown probe '%.*s'; there are: %s", (int)len, name,
		      probe_names(list, sizeof(list)));
}

static int set_probes(struct options *o, const struct option_row *row, const char *value)
{
	const char *name = value;

	(void)row;
	for (;;) {
		size_t len = strcspn(name, ",");

		if (!find_probe(name, len))
			return refuse_probe(name, len);
		if (!name[len])
			break;
		name += len + 1;
	}
	o->probes = value;
	return 0;
}

static int set_source(struct options *o, const struct option_row *row, const char *value)
{
	size_t len = strcspn(value, "=");
	const struct probe_class *class;
	char list[LIST_LEN];

	if (!value[len])
		return refuse("option '--%s': '%s' is not PROBE=NAME", row->name, value);
	class = find_probe(value, len);
	if (!class)
		return refuse_probe(value, len);
	for (const struct source *s = class->sources; s->name; s++) {
		if (strcmp(s->name, value + len + 1) != 0)
			continue;
		if (o->nforced == MAX_FORCED)
			return refuse("option '--%s' was given more than %d times", row->name,
				      MAX_FORCED);
		o->forced[o->nforced].probe = class->name;
		o->forced[o->nforced++].source = s->name;
		return 0;
	}
	return refuse("probe '%s' has no source '%s'; it has: %s", class->name, value + len + 1,
		      source_names(class, list, sizeof(list)));
}

static int set_limit(struct options *o, const struct option_row *row, const char *value)
{
	size_t len = strcspn(value, "=");
	unsigned long entries;
	char *name;

	if (!len || !value[len] || !parse_number(value + len + 1, INT_MAX, &entries) || !entries)
		return refuse("option '--%s': '%s' is not NAME=N with N from 1 to %d", row->name,
			      value, INT_MAX);
	if (o->nlimits == MAX_LIMITS)
		return refuse("option '--%s' was given more than %d times", row->name, MAX_LIMITS);
	name = strndup(value, len);
	if (!name)
		return err_set(-ENOMEM, "cannot keep option '--%s'", row->name);
	o->limits[o->nlimits].name = name;
	o->limits[o->nlimits++].entries = (uint32_t)entries;
	return 0;
}

#define OUTPUT "Output"
#define MEASURE "What is measured"
#define SELECT "Which processes"
#define LENGTH "How long"
#define CHILD "The command"
#define GENERAL "General"

const struct option_row option_table[] = {
	{ 'j', "json", NULL, TARGET, set_flag, AT(json), OUTPUT,
	  "write JSONL records to stdout. JSON then owns stdout: without --out, what COMMAND "
	  "itself writes to stdout goes to stderr" },
	{ 'j', "json", NULL, STATS, set_flag, AT(json), OUTPUT,
	  "print the statistics as one JSON object" },
	{ 'j', "json", NULL, DOCTOR, set_flag, AT(json), OUTPUT,
	  "print the facts as one JSON object" },
	{ 0, "markdown", NULL, SCHEMA, set_flag, AT(markdown), OUTPUT,
	  "print the page docs/schema.md instead of the schema" },
	{ 0, "metrics", NULL, SCHEMA, set_flag, AT(metrics), OUTPUT,
	  "print the page docs/metrics.md, what each probe measures, instead of the schema" },
	{ 'o', "out", "FILE", TARGET, set_text, AT(out), OUTPUT,
	  "write the JSONL records to FILE, which appears whole at the end or not at all; stdout "
	  "stays COMMAND's" },
	{ 0, "stats", "FILE", TARGET, set_text, AT(stats_out), OUTPUT,
	  "also write the statistics of the run to FILE, as `dwell stats --json` prints them" },
	{ 0, "evidence", "FILE", TARGET, set_text, AT(evidence), OUTPUT,
	  "also write the run's evidence to FILE, in the shape of ChainBench's report.json" },
	{ 0, "folded", "FILE", TARGET, set_text, AT(folded), OUTPUT,
	  "write the stacks to FILE as flamegraph.pl reads them, a line a path: "
	  "`process;thread;frame;...;[state] NANOSECONDS`. `_[k]` marks kernel frames, `_[i]` "
	  "inlined ones, `_[j]` JIT code, `_[w]` the waker's. Switches --stacks on, as "
	  "--pprof, --speedscope and --flame do. `-` is stdout; COMMAND's own stdout then goes to "
	  "stderr" },
	{ 0, "folded-state", "WHERE", TARGET, set_folded_state, AT(folded_state), OUTPUT,
	  "where --folded has the state: last (default), first or none" },
	{ 0, "pprof", "FILE", TARGET, set_text, AT(pprof), OUTPUT,
	  "write the stacks to FILE as a gzipped profile.proto, for pprof and its like; a sample type "
	  "for each state" },
	{ 0, "speedscope", "FILE", TARGET, set_text, AT(speedscope), OUTPUT,
	  "write the stacks to FILE as JSON for speedscope, a profile for each thread" },
	{ 0, "flame", "FILE", TARGET, set_flame, AT(flame), OUTPUT,
	  "draw the stacks as a flame graph with zoom and search: FILE.svg or FILE.html, which needs "
	  "nothing but a browser" },
	{ 0, "write-env", NULL, TARGET, set_flag, AT(write_env), OUTPUT,
	  "begin with an `env` record: host, kernel, CPUs, NUMA" },
	{ 0, "no-polling", NULL, TARGET, set_flag, AT(no_polling), OUTPUT,
	  "no records while it runs, only `metadata` and `summary`" },
	{ 'i', "interval", "MS", TARGET, set_ms, AT(interval_ms), OUTPUT,
	  "time between records in the first second of the run (default 100)" },
	{ 'm', "max-interval", "MS", TARGET, set_ms, AT(max_interval_ms), OUTPUT,
	  "the interval grows to this until the tenth second (default 1000)" },
	{ 'n', "no-update", NULL, TARGET | STATS, set_flag, AT(no_update), OUTPUT,
	  "no progress line" },
	{ 'q', "quiet", NULL, TARGET | STATS, set_flag, AT(quiet), OUTPUT,
	  "no progress line, no summary screen; errors only" },
	{ 0, "no-color", NULL, TARGET | STATS | DOCTOR, set_flag, AT(no_color), OUTPUT,
	  "no colour, even on a terminal (NO_COLOR does the same)" },

	{ 0, "probes", "LIST", TARGET, set_probes, AT(probes), MEASURE,
	  "use these probes, separated by commas; the ledger is always on (default: all that are "
	  "not marked below)" },
	{ 0, "syscall-latency", NULL, TARGET, set_flag, AT(syscall_latency), MEASURE,
	  "also time every system call: costs a second hook a call" },
	{ 0, "io-latency", NULL, TARGET, set_flag, AT(io_latency), MEASURE,
	  "also time every read, write, sync and other I/O call: costs a second hook a call" },
	{ 0, "lock-order", NULL, TARGET, set_flag, AT(lock_order), MEASURE,
	  "warn of mutexes that are taken in both orders, which can deadlock. Dear: every "
	  "pthread_mutex_lock and pthread_mutex_unlock of every process on the machine is trapped, "
	  "on a virtual machine some 18 us for the two" },
	{ 0, "kmem", NULL, TARGET, set_flag, AT(kmem), MEASURE,
	  "also count what the kernel itself allocates for the target, objects and pages, by the "
	  "place in the kernel: costs an object of the target and its free together about 470 ns, "
	  "one of other programs about 160 ns; --sample-interval lowers the target's part" },
	{ 0, "alloc", NULL, TARGET, set_flag, AT(alloc), MEASURE,
	  "also follow what programs allocate (malloc and its kin, mmap, brk), by caller, and what "
	  "they never free: leaks. Dear: every malloc and every free of every process on the machine "
	  "is trapped, on a virtual machine some 13 us for the two in the target and 11 us in others; "
	  "--sample-interval lowers only what is kept of them" },
	{ 0, "pmu", NULL, RUN, set_flag, AT(pmu), MEASURE,
	  "also read the CPU's own counters: cycles, instructions, cache, TLB and branch misses, "
	  "of COMMAND and all that it starts. The kernel has to exchange them at each context "
	  "switch: what that costs depends on the CPU" },
	{ 0, "stacks", NULL, TARGET, set_flag, AT(stacks), MEASURE,
	  "also sample the code behind the time, on a CPU and waiting: see the outputs of stacks, "
	  "and `stacks` in the records" },
	{ 0, "stack-quantum", "TIME", TARGET, set_quantum, AT(stack_quantum_ns), MEASURE,
	  "take a stack each time that a thread has waited for another TIME, which then stands "
	  "for it: 1ms (default), 500us, 0 for each wait, which costs about 3 us a wait" },
	{ 'F', "frequency", "HZ", TARGET, set_frequency, AT(frequency), MEASURE,
	  "look HZ times a second which code runs on each CPU (default 99)" },
	{ 0, "inline", NULL, TARGET, set_of_stacks, AT(inlined), MEASURE,
	  "stacks also have inlined functions and lines, where there is debug information: it "
	  "takes longer to name them" },
	{ 0, "python", "on|off", TARGET, set_python, AT(no_python), MEASURE,
	  "stacks of CPython 3.11 to 3.13 have its functions, with file and line, in place of the "
	  "interpreter's (default on)" },
	{ 0, "wakers", NULL, TARGET, set_of_stacks, AT(wakers), MEASURE,
	  "beyond the leaf of a wait the stack of who ended it: costs a stack more a sample" },
	{ 0, "sample-interval", "N", TARGET, set_count, AT(sample_interval), MEASURE,
	  "of events of high frequency look at one in N only, and count it N times; the figures "
	  "concerned say that they are sampled (default 1: every event)" },
	{ 0, "no-ebpf", NULL, TARGET, set_ebpf, AT(no_ebpf), MEASURE, "no BPF: sample /proc only" },
	{ 0, "enable-ebpf", NULL, TARGET, set_ebpf, AT(enable_ebpf), MEASURE,
	  "BPF is on by default; takes back an earlier --no-ebpf" },
	{ 0, "source", "PROBE=NAME", TARGET, set_source, AT(forced), MEASURE,
	  "attach PROBE by this source or not at all; `dwell doctor` lists them" },
	{ 0, "limit", "NAME=N", TARGET, set_limit, AT(limits), MEASURE,
	  "entries of the kernel table NAME" },

	{ 0, "exclude-children", NULL, TARGET, set_flag, AT(exclude_children), SELECT,
	  "follow the process alone, not what it starts" },
	{ 0, "name", "COMM", ATTACH, set_text, AT(name), SELECT,
	  "attach to every process whose name is COMM" },
	{ 0, "cgroup", "PATH", ATTACH, set_text, AT(cgroup), SELECT,
	  "attach to every process in the cgroup PATH and those below it" },
	{ 0, "all", NULL, ATTACH, set_flag, AT(all), SELECT, "attach to every process" },
	{ 0, "since-process-start", NULL, TARGET, set_flag, AT(since_process_start), SELECT,
	  "count /proc's totals from the start of the process, not from the attach" },

	{ 'd', "duration", "SECONDS", TARGET, set_seconds, AT(duration_s), LENGTH,
	  "stop measuring after this time (default 0: at the end)" },
	{ 0, "wait-all", NULL, RUN, set_flag, AT(wait_all), LENGTH,
	  "go on until the last descendant has ended, not only COMMAND" },

	{ 'u', "user", "USER", RUN, set_text, AT(user), CHILD,
	  "run COMMAND as USER, with its groups" },

	{ 0, "debug", NULL, EVERY, set_flag, AT(debug), GENERAL, "say what dwell does, on stderr" },
	{ 'h', "help", NULL, EVERY, set_flag, AT(help), GENERAL, "print this help" },
	{ 'V', "version", NULL, EVERY, set_flag, AT(version), GENERAL, "print the version" },
	{}
};
