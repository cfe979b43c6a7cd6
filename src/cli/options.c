/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line's parser. Flow: find the command's name (so that options before it are
 * judged by it), walk argv once and let each option's setter (option_table.c) store its
 * value, then check what belongs together. A word is judged when it is read, so the first
 * mistake is the one that is told.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "options_refuse.h"
#include "suggest.h"

#define DEFAULT_INTERVAL_MS 100
#define DEFAULT_MAX_INTERVAL_MS 1000
#define DEFAULT_FREQUENCY 99 /* not 100: what runs on every tick is not met each time */
#define DEFAULT_QUANTUM_NS 1000000

/* Decimal digits alone, at most `max`. */
bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return !errno && !*end && *out <= max;
}

struct parser {
	struct options *o;
	char **argv;
	int argc;
	int next;       /* index of the next word */
	int command_at; /* index of the command's name; argc: there is none */
};

static bool row_accepts(const struct option_row *row, enum command_id command)
{
	return command == COMMAND_NONE || (row->commands & (1U << command));
}

/* The row of a name or letter that `command` accepts, else any row of it, else NULL. */
static const struct option_row *find_row(const char *name, size_t len, char letter,
					 enum command_id command)
{
	const struct option_row *any = NULL;

	for (const struct option_row *row = option_table; row->name; row++) {
		if (letter ? row->letter != letter
			   : strlen(row->name) != len || strncmp(row->name, name, len) != 0)
			continue;
		if (row_accepts(row, command))
			return row;
		any = row;
	}
	return any;
}

/* "; did you mean '--json'?", or nothing that is near enough. */
static const char *nearest_option(const char *name, enum command_id command, char *buf, size_t size)
{
	struct suggestion s = suggestion_of(name);

	for (const struct option_row *row = option_table; row->name; row++)
		if (row_accepts(row, command))
			suggestion_try(&s, row->name);
	buf[0] = '\0';
	if (s.best)
		snprintf(buf, size, "; did you mean '--%s'?", s.best);
	return buf;
}

static int refuse_option(const struct parser *p, const char *word, const char *name)
{
	char near[64];

	return refuse("unknown option '%s'%s", word,
		      nearest_option(name, p->o->command, near, sizeof(near)));
}

/* Stores one option; value NULL: none was attached to the word. */
static int take_option(struct parser *p, const struct option_row *row, const char *value)
{
	if (!row_accepts(row, p->o->command))
		return refuse("option '--%s' does not apply to '%s'", row->name,
			      command_table[p->o->command].name);
	if (!row->arg && value)
		return refuse("option '--%s' takes no value", row->name);
	if (row->arg && !value) {
		/* the command's name is not an argument: `dwell --out run -- x` lacks one */
		if (p->next >= p->argc || p->next == p->command_at)
			return refuse("option '--%s' needs a value: %s", row->name, row->arg);
		value = p->argv[p->next++];
	}
	return row->set(p->o, row, value);
}

static int take_long(struct parser *p, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_row *row = find_row(name, len, 0, p->o->command);
	char bare[64];

	if (row)
		return take_option(p, row, equals ? equals + 1 : NULL);
	snprintf(bare, sizeof(bare), "%.*s", (int)len, name);
	return refuse_option(p, word, bare);
}

/* -jq: a bundle; -i100: the rest is the value. */
static int take_short(struct parser *p, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		const struct option_row *row = find_row(NULL, 0, *c, p->o->command);
		int err;

		if (!row)
			return refuse_option(p, word, word + 1);
		if (row->arg)
			return take_option(p, row, c[1] ? c + 1 : NULL);
		err = take_option(p, row, NULL);
		if (err)
			return err;
	}
	return 0;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/* Whether the option word takes the next word as its value. */
static bool takes_next(const char *word)
{
	const struct option_row *row;

	if (word[1] == '-') {
		row = find_row(word + 2, strlen(word + 2), 0, COMMAND_NONE);
		return row && row->arg;
	}
	for (const char *c = word + 1; *c; c++) {
		row = find_row(NULL, 0, *c, COMMAND_NONE);
		if (row && row->arg)
			return !c[1];
	}
	return false;
}

/* Index of the first word that is neither an option nor an option's value; argc: none. */
static int find_command_word(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && is_option(argv[i]); i++) {
		if (!strcmp(argv[i], "--"))
			return i + 1 < argc ? i + 1 : argc;
		if (takes_next(argv[i]))
			i++;
	}
	return i < argc ? i : argc;
}

static int add_pid(struct options *o, const char *word)
{
	unsigned long pid;
	pid_t *grown;

	if (!parse_number(word, INT_MAX, &pid) || !pid)
		return refuse("'%s' is not a process id", word);
	for (size_t i = 0; i < o->npids; i++)
		if (o->pids[i] == (pid_t)pid)
			return 0;
	grown = reallocarray(o->pids, o->npids + 1, sizeof(*grown));
	if (!grown)
		return err_set(-ENOMEM, "cannot keep process id %s", word);
	o->pids = grown;
	o->pids[o->npids++] = (pid_t)pid;
	return 0;
}

static int take_operand(struct parser *p, char **word)
{
	struct options *o = p->o;

	switch (o->command) {
	case COMMAND_RUN:
		o->argv = word;
		o->argc = (int)(p->argv + p->argc - word);
		p->next = p->argc;
		return 0;
	case COMMAND_ATTACH:
		return add_pid(o, *word);
	case COMMAND_STATS:
	case COMMAND_HELP:
		if (o->argc)
			return refuse("'%s' takes one %s, and '%s' is the second",
				      command_table[o->command].name,
				      o->command == COMMAND_STATS ? "FILE" : "COMMAND", *word);
		o->argv = word;
		o->argc = 1;
		return 0;
	default:
		return refuse("'%s' takes no arguments, and there is '%s'",
			      command_table[o->command].name, *word);
	}
}

static int parse_words(struct parser *p)
{
	bool options_end = false;
	int err = 0;

	while (!err && p->next < p->argc) {
		char **word = &p->argv[p->next++];

		if (word == p->argv + p->command_at)
			continue;
		if (options_end || !is_option(*word))
			err = take_operand(p, word);
		else if (!strcmp(*word, "--"))
			options_end = p->next > p->command_at;
		else if ((*word)[1] == '-')
			err = take_long(p, *word);
		else
			err = take_short(p, *word);
	}
	return err;
}

static int refuse_command(const char *word)
{
	struct suggestion s = suggestion_of(word);

	for (size_t i = 1; i < COMMANDS; i++)
		suggestion_try(&s, command_table[i].name);
	if (s.best)
		return refuse("unknown command '%s'; did you mean '%s'?", word, s.best);
	err_set(0, "unknown command '%s'", word);
	err_hint("to run a program: dwell run -- %s", word);
	return -EINVAL;
}

bool probe_listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == len && !strncmp(list, name, n))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* An option of a probe that --probes leaves out would do nothing, and nobody would know. */
static int check_probes(const struct options *o)
{
	const struct {
		bool given;
		const char *option, *probe;
	} needs[] = {
		{ o->io_latency, "--io-latency", "io" },
		{ o->kmem, "--kmem", "memory" },
		{ o->pmu, "--pmu", "memory" },
		{ o->lock_order, "--lock-order", "locks" },
		{ o->stacks, "--stacks", "stacks" },
		{ o->folded, "--folded", "stacks" },
		{ o->pprof, "--pprof", "stacks" },
		{ o->speedscope, "--speedscope", "stacks" },
		{ o->flame, "--flame", "stacks" },
	};

	for (size_t i = 0; o->probes && i < sizeof(needs) / sizeof(needs[0]); i++)
		if (needs[i].given && !probe_listed(o->probes, needs[i].probe))
			return refuse("%s needs the probe '%s', which --probes leaves out",
				      needs[i].option, needs[i].probe);
	return 0;
}

static size_t on_stdout(const struct options *o, const char *names[2]);

/* Outputs made of stacks: each needs BPF, and stdout is a place for one output. */
static int check_stacks(const struct options *o)
{
	const char *names[2];

	if (options_want_stacks(o) && o->no_ebpf)
		return refuse("stacks need BPF, which --no-ebpf switches off");
	if (on_stdout(o, names) > 1)
		return refuse("%s and %s would both write to stdout", names[0], names[1]);
	return 0;
}

/* What belongs together. */
static int check(struct options *o)
{
	int err = check_probes(o);

	if (!err)
		err = check_stacks(o);
	if (err)
		return err;
	if (o->max_interval_ms && o->max_interval_ms < o->interval_ms)
		return refuse("--max-interval %u is below --interval %u", o->max_interval_ms,
			      o->interval_ms);
	if (!o->max_interval_ms)
		o->max_interval_ms = o->interval_ms > DEFAULT_MAX_INTERVAL_MS
					     ? o->interval_ms
					     : DEFAULT_MAX_INTERVAL_MS;
	switch (o->command) {
	case COMMAND_NONE:
		return refuse("no command; use run, attach, stats, schema or doctor");
	case COMMAND_RUN:
		return o->argc ? 0 : refuse("run: no program to run");
	case COMMAND_ATTACH:
		if (o->all && (o->npids || o->name || o->cgroup))
			return refuse("attach: --all is every process, and there are others named");
		return o->all || o->npids || o->name || o->cgroup
			       ? 0
			       : refuse("attach: no PID, --name, --cgroup or --all");
	case COMMAND_STATS:
		return o->argc ? 0 : refuse("stats: no FILE");
	case COMMAND_HELP:
		return o->argc && !command_find(o->argv[0]) ? refuse_command(o->argv[0]) : 0;
	default:
		return 0;
	}
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct parser p = { .o = o, .argv = argv, .argc = argc, .next = 1 };
	int err;

	*o = (struct options){
		.interval_ms = DEFAULT_INTERVAL_MS,
		.frequency = DEFAULT_FREQUENCY,
		.stack_quantum_ns = DEFAULT_QUANTUM_NS,
	};
	err_clear();
	p.command_at = find_command_word(argc, argv);
	if (p.command_at < argc) {
		o->command = command_find(argv[p.command_at]);
		if (o->command == COMMAND_NONE)
			return refuse_command(argv[p.command_at]);
	}
	err = parse_words(&p);
	/* who asks for help need not have the rest right */
	if (!err && !o->help && !o->version)
		err = check(o);
	if (err && !*err_hint_text()) {
		if (o->command == COMMAND_NONE)
			err_hint("'dwell --help' lists the commands");
		else
			err_hint("'dwell %s --help' lists its options",
				 command_table[o->command].name);
	}
	return err;
}

void options_free(struct options *o)
{
	for (size_t i = 0; i < o->nlimits; i++)
		free(o->limits[i].name);
	free(o->pids);
	*o = (struct options){};
}

int options_usage_exit(const struct options *o)
{
	return o->command == COMMAND_RUN ? EXIT_DWELL_FAILED : EXIT_USAGE;
}

bool path_is_stdout(const char *path)
{
	static const char *const names[] = { "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(path, names[i]))
			return true;
	return false;
}

/* How many outputs have stdout for their place; the options of the first two. */
static size_t on_stdout(const struct options *o, const char *names[2])
{
	const struct {
		const char *path, *option;
	} outputs[] = {
		{ o->json && !o->out ? "-" : NULL, "--json" },
		{ o->out, "--out" },
		{ o->folded, "--folded" },
		{ o->pprof, "--pprof" },
		{ o->speedscope, "--speedscope" },
		{ o->flame, "--flame" },
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		if (outputs[i].path && path_is_stdout(outputs[i].path) && n++ < 2)
			names[n - 1] = outputs[i].option;
	return n;
}

bool options_owns_stdout(const struct options *o)
{
	const char *names[2];

	return on_stdout(o, names) > 0;
}

bool options_want_stacks(const struct options *o)
{
	return o->stacks || o->folded || o->pprof || o->speedscope || o->flame ||
	       (o->probes && probe_listed(o->probes, "stacks"));
}
