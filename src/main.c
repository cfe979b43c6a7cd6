/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwell: from the command line to the command. The options are parsed here once, errors
 * are printed here once: a command returns its exit code, having set the error before. One
 * that went on after an error and has told of it calls err_clear().
 */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "err.h"
#include "options.h"
#include "term.h"

/* clang-format off */
static int (*const commands[COMMANDS])(struct options *o) = {
	[COMMAND_RUN] = cmd_run,
	[COMMAND_ATTACH] = cmd_attach,
	[COMMAND_STATS] = cmd_stats,
	[COMMAND_SCHEMA] = cmd_schema,
	[COMMAND_DOCTOR] = cmd_doctor,
};
/* clang-format on */

static void print_error(void)
{
	if (!*err_text())
		return;
	fprintf(stderr, "dwell: %s\n", err_text());
	if (*err_hint_text())
		fprintf(stderr, "dwell: %s\n", err_hint_text());
}

static void print_help(const struct options *o)
{
	enum command_id about = o->command;

	if (about == COMMAND_HELP && o->argc)
		about = command_find(o->argv[0]);
	else if (about == COMMAND_HELP && !o->help)
		about = COMMAND_NONE;
	help_print(stdout, about, text_style_of(stdout, true).width);
}

/* Help and version are data: a reader that is not there makes them fail. */
static int finish_stdout(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fputs("dwell: cannot write to stdout\n", stderr);
	return EXIT_DWELL_FAILED;
}

static int dispatch(struct options *o)
{
	int code;

	if (o->version || o->command == COMMAND_VERSION) {
		puts("dwell " DWELL_VERSION);
		return finish_stdout();
	}
	if (o->help || o->command == COMMAND_HELP) {
		print_help(o);
		return finish_stdout();
	}
	if (o->quiet)
		log_level = LOG_ERROR;
	if (o->debug)
		log_level = LOG_DEBUG;
	code = commands[o->command](o);
	print_error();
	return code;
}

/*
 * A descriptor 0, 1 or 2 that is closed would become a file of ours, and be printed to.
 * What we put there cannot be written to, so that output which nobody gets is an error; the
 * command still finds it closed, as it goes away at its exec.
 */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options o;
	int code;

	fill_stdio();
	/* the encoding alone: numbers keep their point in every locale */
	setlocale(LC_CTYPE, "");
	if (options_parse(&o, argc, argv)) {
		print_error();
		code = options_usage_exit(&o);
	} else {
		code = dispatch(&o);
	}
	options_free(&o);
	return code;
}
