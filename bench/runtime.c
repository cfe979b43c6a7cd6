// SPDX-License-Identifier: BSD-2-Clause
/*
 * runtime: what the BPF programs of the tool that started it take while a command runs, as the
 * kernel measures it for whoever holds its statistics' descriptor. Prints a line a program that
 * ran: name, runs, nanoseconds; at last the wall time as `wall 1 NANOSECONDS`.
 *
 *	runtime COMMAND [ARG...]
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <err.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define PROGRAMS 256

struct program {
	unsigned int id;
	unsigned long long ns, runs;
};

/* One descriptor's fdinfo; 0: it is no program's. */
static int read_program(struct program *p, const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];
	int found = 0;

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "prog_id: %u", &p->id);
		sscanf(line, "run_cnt: %llu", &p->runs);
		found |= sscanf(line, "run_time_ns: %llu", &p->ns) == 1;
	}
	if (f)
		fclose(f);
	return found;
}

static int read_programs(struct program *list)
{
	struct dirent *e;
	char path[300];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", getppid());
	dir = opendir(path);
	while (dir && (e = readdir(dir)) && n < PROGRAMS) {
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", getppid(), e->d_name);
		list[n] = (struct program){ 0 };
		n += read_program(&list[n], path);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void print_program(const struct program *then, const struct program *now)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(now->id);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && now->runs > then->runs)
		printf("%s %llu %llu\n", info.name, now->runs - then->runs, now->ns - then->ns);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct program before[PROGRAMS], after[PROGRAMS];
	int nbefore, nafter, status;
	double from;
	pid_t pid;

	if (argc < 2)
		errx(2, "usage: runtime COMMAND [ARG...]");
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		err(1, "BPF statistics");
	nbefore = read_programs(before);
	from = clock_ns();
	pid = fork();
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[1], argv + 1);
		err(127, "%s", argv[1]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		errx(1, "cannot run %s", argv[1]);
	from = clock_ns() - from;
	nafter = read_programs(after);
	for (int i = 0; i < nafter; i++)
		for (int j = 0; j < nbefore; j++)
			if (before[j].id == after[i].id)
				print_program(&before[j], &after[i]);
	printf("wall 1 %.0f\n", from);
	return 0;
}
