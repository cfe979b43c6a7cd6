// SPDX-License-Identifier: BSD-2-Clause
// on_cpu THREADS MS: each thread burns MS of CPU time, a third of it in the kernel; then
// the process says its CLOCK_PROCESS_CPUTIME_ID, user and system time, and switches.
#include "truth.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t quota_ns;

static void burn(void)
{
	uint64_t end = cpu_ns() + quota_ns / 3;

	spin_cpu_ns(quota_ns - quota_ns / 3);
	end = cpu_ns() + quota_ns / 3;
	while (cpu_ns() < end) { /* getcwd through the dcache: kernel time without a wait */
		char text[4096];

		for (int i = 0; i < 50; i++)
			syscall(SYS_getcwd, text, sizeof(text));
	}
}

static void *worker(void *cpu)
{
	burn();
	*(uint64_t *)cpu = cpu_ns();
	return NULL;
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

int main(int argc, char **argv)
{
	long threads = arg_long(argc, argv, 1, 1);
	struct timespec cpu;
	struct rusage ru;
	pthread_t *all = calloc((size_t)threads, sizeof(*all));
	uint64_t *times = calloc((size_t)threads, sizeof(*times));

	quota_ns = (uint64_t)arg_long(argc, argv, 2, 100) * 1000000;
	for (long i = 1; i < threads; i++)
		if (pthread_create(&all[i], NULL, worker, &times[i]))
			die("pthread_create");
	burn();
	for (long i = 1; i < threads; i++)
		pthread_join(all[i], NULL);
	getrusage(RUSAGE_SELF, &ru);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	say_u64("pid", (uint64_t)getpid());
	say_u64("threads", (uint64_t)threads);
	say_u64("cpu_ns", (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec);
	say_u64("user_ns", timeval_ns(ru.ru_utime));
	say_u64("system_ns", timeval_ns(ru.ru_stime));
	return 0;
}
