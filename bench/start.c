// SPDX-License-Identifier: BSD-2-Clause
/*
 * start: how long a tool takes from its own exec to the first instruction of the command
 * that it runs, and from the command's end to its own. Prints both in nanoseconds, and the
 * greatest resident size of the tool in KiB.
 *
 *	start TOOL [ARG...]	appends `start -` as the command
 *	start -			is that command: prints the clock when it starts and ends
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define OUT_FD 9 /* tools redirect or close what they know: this they do not */

static int be_command(void)
{
	double at[2] = { clock_ns() };

	usleep(50000); /* a command as short as nothing meets a tool that is not yet waiting */
	at[1] = clock_ns();
	return write(OUT_FD, at, sizeof(at)) != sizeof(at);
}

static void exec_tool(char **tool, int n, int out)
{
	char **argv = calloc((size_t)n + 3, sizeof(*argv));
	char self[256];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (!argv || len < 0 || dup2(out, OUT_FD) != OUT_FD)
		err(125, "cannot prepare %s", tool[0]);
	self[len] = 0;
	memcpy(argv, tool, (size_t)n * sizeof(*argv));
	argv[n] = self;
	argv[n + 1] = "-";
	execvp(argv[0], argv);
	err(127, "%s", argv[0]);
}

int main(int argc, char **argv)
{
	double from, end, at[2];
	struct rusage usage;
	int out[2], status;
	pid_t tool;

	if (argc < 2)
		errx(2, "usage: start TOOL [ARG...]");
	if (!strcmp(argv[1], "-"))
		return be_command();
	if (pipe(out))
		err(1, "pipe");
	from = clock_ns();
	tool = fork();
	if (!tool)
		exec_tool(argv + 1, argc - 1, out[1]);
	if (tool < 0 || wait4(tool, &status, 0, &usage) != tool)
		err(1, "cannot run %s", argv[1]);
	end = clock_ns();
	close(out[1]);
	if (read(out[0], at, sizeof(at)) != sizeof(at))
		errx(1, "%s did not run its command", argv[1]);
	printf("%.0f %.0f %ld\n", at[0] - from, end - at[1], usage.ru_maxrss);
	return 0;
}
