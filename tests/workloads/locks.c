// SPDX-License-Identifier: BSD-2-Clause
// locks MODE [ARGUMENT...]: locks of every kind, contended; see locks.h.
#include "locks.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "truth.h"

static const struct {
	const char *name;
	void (*run)(int argc, char **argv);
} modes[] = {
	{ "raw", raw_calls },       { "semop", sysv_semaphores },   { "sem_open", named_semaphore },
	{ "mutex", mutex },         { "heap", heap_mutex },         { "stack", stack_mutex },
	{ "condition", condition }, { "semaphore", semaphore },     { "rwlock", rwlock },
	{ "barrier", barrier },     { "deadlock", deadlock },       { "relock", relock },
	{ "slow", slow },           { "both_orders", both_orders }, { "one_order", one_order },
	{ "directory", directory },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, argv[1]) != 0)
			continue;
		say_u64("pid", (uint64_t)getpid());
		modes[i].run(argc - 1, argv + 1);
		return 0;
	}
	fprintf(stderr, "usage: locks MODE [ARGUMENT...]; see locks.h\n");
	return 2;
}
