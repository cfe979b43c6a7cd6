/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line: one table says an option's name, argument, help and commands; the parser
 * and the help texts come from it. Options stand before or after the command's name; for
 * `run` they end at the first word that is none, or at `--`: what follows is the command's.
 */
#ifndef DWELL_OPTIONS_H
#define DWELL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "folded.h"

/* EXIT_USAGE: a bad command line, but of `run`, whose own failures are all 125. */
enum { EXIT_USAGE = 2, EXIT_DWELL_FAILED = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

enum command_id {
	COMMAND_NONE,
	COMMAND_RUN,
	COMMAND_ATTACH,
	COMMAND_STATS,
	COMMAND_SCHEMA,
	COMMAND_DOCTOR,
	COMMAND_HELP,
	COMMAND_VERSION,
	COMMANDS
};

struct forced_source {
	const char *probe, *source;
};

struct map_limit { /* --limit NAME=N: size of a table; tests set tiny ones */
	char *name;
	uint32_t entries;
};

#define MAX_FORCED 8
#define MAX_LIMITS 8

struct options {
	enum command_id command;  /* also after an error: the command that was meant, if known */
	bool help, version;       /* -h, -V */
	bool json;                /* -j: JSONL on stdout (the command's stdout goes to stderr) */
	const char *out;          /* -o FILE: JSONL, whole or not at all */
	unsigned interval_ms;     /* -i, 100 */
	unsigned max_interval_ms; /* -m, 1000 */
	bool no_update;           /* -n: no progress line */
	double duration_s;        /* -d; 0: until the end */
	bool quiet;               /* -q: no progress, no summary screen */
	bool since_process_start;
	bool exclude_children;
	const char *stats_out;     /* --stats FILE: also write the statistics of the run there */
	const char *evidence;      /* --evidence FILE: ChainBench's evidence of the run */
	uint64_t stack_quantum_ns; /* --stack-quantum */
	unsigned frequency;        /* -F */
	bool inlined, wakers;      /* --inline, --wakers */
	bool no_python;            /* --python off */
	bool stacks;               /* --stacks; ask options_want_stacks() */
	const char *folded, *pprof, *speedscope, *flame; /* FILE of each; NULL: not wanted */
	enum folded_state folded_state;                  /* --folded-state last|first|none */
	bool enable_ebpf;                                /* accepted for denet's sake: always on */
	bool no_ebpf;                                    /* --no-ebpf: sample /proc only */
	bool debug;
	bool no_polling; /* only metadata and summary, no tree records */
	bool write_env;
	bool no_color;
	bool markdown;      /* schema: as a page */
	bool metrics;       /* schema: the page of the probes */
	const char *probes; /* --probes a,b; NULL: default */
	struct forced_source forced[MAX_FORCED];
	size_t nforced;
	struct map_limit limits[MAX_LIMITS];
	size_t nlimits;
	bool syscall_latency, io_latency;
	bool lock_order;
	bool kmem, pmu, alloc;
	unsigned sample_interval; /* --sample-interval N; 0, 1: every event */
	bool wait_all;
	const char *user; /* -u */
	/* attach */
	char *name;         /* --name COMM */
	const char *cgroup; /* --cgroup PATH */
	bool all;
	pid_t *pids;
	size_t npids;
	/* run: command and arguments, NULL-ended; stats: FILE in argv[0]; help: a command's name */
	char **argv;
	int argc;
};

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *arg;   /* what help calls the argument; NULL: a switch */
	unsigned commands; /* bit 1 << enum command_id: accepted by these */
	int (*set)(struct options *o, const struct option_row *row, const char *value);
	size_t offset;     /* in struct options, for set() */
	const char *group; /* heading in help */
	const char *help;
};

struct command_help {
	const char *name;
	const char *operands; /* "[--] COMMAND [ARGUMENT...]" */
	const char *summary;  /* one line, for the list of commands */
	const char *about;    /* paragraphs for its own help; NULL: summary alone */
	const char *examples;
};

/* A name may have two rows, for different commands, when its help differs. Ended by a NULL name. */
extern const struct option_row option_table[];
extern const struct command_help command_table[COMMANDS]; /* cli/help.c */

/*
 * Defaults, then argv. 0, or -EINVAL with the error and hint set; o->command is then still
 * what main needs to choose the exit code. What it keeps points into argv, or is freed by
 * options_free().
 */
int options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);
/* Exit code of a command line that is wrong. */
int options_usage_exit(const struct options *o);

/* Help of one command, or for COMMAND_NONE of dwell as a whole, wrapped at `width` columns. */
void help_print(FILE *f, enum command_id command, int width);
/* Whether `name` is one of the list "a,b,c". */
bool probe_listed(const char *list, const char *name);
/* The command of that name, else COMMAND_NONE. */
enum command_id command_find(const char *name);

/* Each command: returns dwell's exit code. */
int cmd_run(struct options *o);
int cmd_attach(struct options *o);
int cmd_stats(struct options *o);
int cmd_schema(struct options *o);
int cmd_doctor(struct options *o);

/* What dwell writes goes to stdout, so the command's stdout goes to stderr. */
bool options_owns_stdout(const struct options *o);
/* Whether the path is another name of stdout. */
bool path_is_stdout(const char *path);

/* Stacks are wanted: --stacks, --probes with stacks, or an output that is made of them. */
bool options_want_stacks(const struct options *o);

#endif
