// SPDX-License-Identifier: BSD-2-Clause
// hogs MS: two processes pinned to one CPU, both always runnable, for MS of wall time.
// Each says what the kernel counted for it: run_delay (runnable without a CPU), its CPU
// time, and how often it was switched away involuntarily.
#include "truth.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void hog(uint64_t until)
{
	struct rusage ru;
	uint64_t cpu, delay;

	while (now_ns() < until)
		for (volatile int i = 0; i < 10000; i++)
			;
	getrusage(RUSAGE_SELF, &ru);
	cpu = cpu_ns();
	delay = delay_ns();
	say_of("hog", getpid(), "run_delay_ns", delay);
	say_of("hog", getpid(), "cpu_ns", cpu);
	say_of("hog", getpid(), "involuntary", (uint64_t)ru.ru_nivcsw);
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t until = now_ns() + (uint64_t)arg_long(argc, argv, 1, 300) * 1000000;

	for (int i = 0; i < 2; i++)
		if (!must(fork(), "fork")) {
			pin_to_cpu(0);
			hog(until);
		}
	while (wait(NULL) > 0)
		;
	return 0;
}
