// SPDX-License-Identifier: BSD-2-Clause
/*
 * empty: attaches the programs of empty.bpf.c that are named, runs the command, waits.
 *
 *	empty OBJECT EVENT[,EVENT...] COMMAND [ARG...]
 */
#include <bpf/libbpf.h>
#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static bool listed(const char *list, const char *name)
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

static void attach(const char *path, const char *events)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;

	if (libbpf_get_error(obj))
		errx(1, "cannot open %s", path);
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, listed(events, bpf_program__name(prog)));
	if (bpf_object__load(obj))
		errx(1, "cannot load %s", path);
	bpf_object__for_each_program(prog, obj)
		if (bpf_program__autoload(prog) && libbpf_get_error(bpf_program__attach(prog)))
			errx(1, "cannot attach %s", bpf_program__name(prog));
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc < 4)
		errx(2, "usage: empty OBJECT EVENT[,EVENT...] COMMAND [ARG...]");
	libbpf_set_print(quiet);
	attach(argv[1], argv[2]);
	pid = fork();
	if (!pid) {
		execvp(argv[3], argv + 3);
		err(127, "%s", argv[3]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err(1, "cannot run %s", argv[3]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
