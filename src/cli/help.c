/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Help texts: the commands' words stand here, the options' in option_table. Everything is
 * wrapped to the width of the terminal, option help in a column of its own.
 */
#include "options.h"

#include <string.h>

#include "probe.h"

#define HELP_COLUMN 26
#define MIN_WIDTH 50
#define MAX_WIDTH 100

const struct command_help command_table[COMMANDS] = {
	[COMMAND_NONE] = { .name = "" },
	[COMMAND_RUN] = {
		"run", "[OPTION...] [--] COMMAND [ARGUMENT...]",
		"run a program and tell where its time went",
		"Runs COMMAND and follows every process and thread that it starts, from its first "
		"instruction on. COMMAND keeps the terminal, stdin, stdout, stderr, signals and "
		"job control. At its end a summary is printed to stderr: on a CPU, waiting for "
		"one, or blocked, and then on what. Without the rights for BPF the program runs "
		"all the same and dwell says what it could not measure.\n"
		"The exit code is COMMAND's, and when a signal killed COMMAND dwell dies of the "
		"same. 127: COMMAND was not found; 126: it cannot be executed; 125: dwell itself "
		"failed or its options are wrong, before COMMAND was started, or the records "
		"could not be written although COMMAND succeeded.",
		"dwell run -- make -j8\n"
		"dwell run --out build.jsonl -- cargo build\n"
		"dwell run --json -- ./server --port 80 2>log | tail -1\n"
		"dwell run --syscall-latency --wait-all -- sh -c 'sort big | uniq -c'\n"
		"dwell run -u nobody -- id",
	},
	[COMMAND_ATTACH] = {
		"attach", "[OPTION...] PID... | --name COMM | --cgroup PATH | --all",
		"tell where the time of running processes goes",
		"Follows processes that run already, their threads and what they start from now "
		"on. Their account begins at the attach. Ends when they have ended, after "
		"--duration, or at Ctrl-C, and then prints the summary.\n"
		"Exit code 0; 125: it could not attach; 2: wrong options.",
		"dwell attach 1234\n"
		"dwell attach --name postgres -d 10\n"
		"dwell attach --cgroup /sys/fs/cgroup/system.slice/nginx.service -d 60 "
		"-o nginx.jsonl",
	},
	[COMMAND_STATS] = {
		"stats", "[OPTION...] FILE",
		"statistics of a recorded JSONL file",
		"Reads a file that --out or --json wrote, or that denet wrote, and prints its "
		"statistics: time, processes, CPU, memory, I/O, and the ledger if it is there.\n"
		"Exit code 0; 125: FILE is not such a file; 2: wrong options.",
		"dwell stats build.jsonl\n"
		"dwell stats --json build.jsonl",
	},
	[COMMAND_SCHEMA] = {
		"schema", "",
		"print the JSON Schema of the records",
		"Prints to stdout the JSON Schema of every record that --json and --out write.",
		"dwell schema > dwell.schema.json\n"
		"dwell schema --metrics    what each probe measures, from which source",
	},
	[COMMAND_DOCTOR] = {
		"doctor", "[OPTION...]",
		"what dwell can measure on this machine, and why not more",
		"Looks at the kernel, its BTF, the rights that dwell has and the settings that "
		"limit it, then really tries each probe and each of its sources, and says what "
		"to do about what fails.\n"
		"Exit code 0: every probe can attach; 1: one cannot; 2: wrong options.",
		"dwell doctor\n"
		"dwell doctor --json",
	},
	[COMMAND_HELP] = {
		"help", "[COMMAND]",
		"print help, of dwell or of one command",
		NULL,
		NULL,
	},
	[COMMAND_VERSION] = { "version", "", "print the version", NULL, NULL },
};

/* Prints one paragraph, wrapped, with `indent` columns before every line but the first. */
static void print_wrapped(FILE *f, const char *text, size_t len, int indent, int width)
{
	int column = indent;

	while (len) {
		size_t word = 0;

		while (word < len && text[word] != ' ')
			word++;
		if (column > indent && column + 1 + (int)word > width) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', f);
			column++;
		}
		fprintf(f, "%.*s", (int)word, text);
		column += (int)word;
		text += word;
		len -= word;
		while (len && *text == ' ') {
			text++;
			len--;
		}
	}
	fputc('\n', f);
}

static void print_paragraphs(FILE *f, const char *text, int width)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		print_wrapped(f, text, len, 0, width);
		text += len + (text[len] == '\n');
		fputc('\n', f);
	}
}

static void print_option(FILE *f, const struct option_row *row, int width)
{
	char left[64];
	int len;

	len = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", row->letter ? '-' : ' ',
		       row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->name,
		       row->arg ? " " : "", row->arg ? row->arg : "");
	if (len + 2 > HELP_COLUMN)
		fprintf(f, "%s\n%*s", left, HELP_COLUMN, "");
	else
		fprintf(f, "%-*s", HELP_COLUMN, left);
	print_wrapped(f, row->help, strlen(row->help), HELP_COLUMN, width);
}

/* Options of a command, group by group, in the table's order. */
static void print_options(FILE *f, enum command_id command, int width)
{
	const char *group = NULL;

	for (const struct option_row *row = option_table; row->name; row++) {
		if (!(row->commands & (1U << command)))
			continue;
		if (!group || strcmp(group, row->group) != 0)
			fprintf(f, "%s%s:\n", group ? "\n" : "", row->group);
		group = row->group;
		print_option(f, row, width);
	}
}

/* Figures of docs/benchmarks.md, where the machine stands too. */
static void print_cost(FILE *f, int width)
{
	static const char text[] =
		"What they cost depends on the machine and the program: the ledger some 0.4 us a "
		"context switch; all others but memory and cpu a hook on every system call, 0.1 us "
		"of each. Where returns from functions are made safe, the dearest case, real "
		"programs took 0 to 2 % longer with the ledger alone and 4 to 16 % with all seven "
		"(README.md).";

	fputc('\n', f);
	print_wrapped(f, text, strlen(text), 0, width);
}

static void print_probes(FILE *f, int width)
{
	fputs("\nProbes (--probes):\n", f);
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		char text[512];

		fprintf(f, "  %-*s", HELP_COLUMN - 2, (*c)->name);
		snprintf(text, sizeof(text), "%s%s", (*c)->summary,
			 (*c)->opt_in ? " (only when named)" : "");
		print_wrapped(f, text, strlen(text), HELP_COLUMN, width);
	}
	print_cost(f, width);
}

static void print_examples(FILE *f, const char *text)
{
	fputs("\nExamples:\n", f);
	while (*text) {
		size_t len = strcspn(text, "\n");

		fprintf(f, "  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_overview(FILE *f, int width)
{
	fputs("dwell tells where a program's time goes: on a CPU, waiting for one, or blocked,\n"
	      "and then on what.\n\n"
	      "Usage: dwell COMMAND [OPTION...]\n\nCommands:\n",
	      f);
	for (size_t i = 1; i < COMMANDS; i++)
		fprintf(f, "  %-8s  %s\n", command_table[i].name, command_table[i].summary);
	fputs("\n", f);
	print_options(f, COMMAND_NONE, width);
	fputs("\nExamples:\n"
	      "  dwell run -- make -j8       where does my build spend its time?\n"
	      "  dwell attach 1234 -d 10     what has that process been doing for 10 seconds?\n"
	      "  dwell doctor                what can dwell measure here?\n\n"
	      "'dwell help COMMAND' says more. Options may stand before or after COMMAND.\n"
	      "Exit code 2: the options are wrong (125 for run, whose other codes are the\n"
	      "program's).\n",
	      f);
}

void help_print(FILE *f, enum command_id command, int width)
{
	const struct command_help *row = &command_table[command];

	width = width < MIN_WIDTH ? MIN_WIDTH : width > MAX_WIDTH ? MAX_WIDTH : width;
	if (command == COMMAND_NONE) {
		print_overview(f, width);
		return;
	}
	fprintf(f, "Usage: dwell %s%s%s\n\n", row->name, *row->operands ? " " : "", row->operands);
	if (row->about)
		print_paragraphs(f, row->about, width);
	else
		fprintf(f, "%s\n\n", row->summary);
	print_options(f, command, width);
	if (command == COMMAND_RUN || command == COMMAND_ATTACH)
		print_probes(f, width);
	if (row->examples)
		print_examples(f, row->examples);
}

enum command_id command_find(const char *name)
{
	for (size_t i = 1; i < COMMANDS; i++)
		if (!strcmp(command_table[i].name, name))
			return (enum command_id)i;
	return COMMAND_NONE;
}
