/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every workload needs to know what it did: clocks, a span that measures one wait,
 * and output. A workload prints its truth as `key=value` lines on stdout; the tests
 * compare dwell's figures with these, never with nominal times.
 *
 * Limits: Linux only; a workload that cannot do its part says why and exits with
 * EXIT_SKIP, which the tests show as a skip.
 */
#ifndef DWELL_TRUTH_H
#define DWELL_TRUTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define EXIT_SKIP 77

uint64_t now_ns(void);
/* CPU time of the calling thread. */
uint64_t cpu_ns(void);
pid_t tid_self(void);
/* A relative sleep that signals do not shorten. */
void sleep_ns(uint64_t ns);
/* Burns `ns` of CPU time on the calling thread. */
void spin_cpu_ns(uint64_t ns);
void pin_to_cpu(int cpu);

/*
 * A wait, measured by the waiter: wall time, less the CPU time that the call took, less
 * the time that the kernel says it was runnable without a CPU (schedstat run_delay), is
 * the time it was blocked. The voluntary switches say how often.
 */
struct span {
	uint64_t wall_ns, cpu_ns, delay_ns;
	uint64_t blocks;
};

void span_begin(struct span *s);
/* Turns the readings at the start into differences. */
void span_end(struct span *s);
/* Never negative: readings are microseconds apart. */
uint64_t span_blocked_ns(const struct span *s);
/* run_delay of the calling thread so far. */
uint64_t delay_ns(void);

#define MAX_SPANS 4096

/* All waits of one thread. */
struct waits {
	uint64_t blocked_ns, wall_ns, max_ns, blocks;
	uint32_t calls;
	uint64_t each[MAX_SPANS];
};

void waits_add(struct waits *w, const struct span *s);
/*
 * blocked_ns=, wall_ns=, max_ns=, blocks=, calls=, delay_ns= (run_delay of the whole thread
 * so far), each= (comma list); keys after `prefix`.
 */
void waits_print(const struct waits *w, const char *prefix);

/* A thread or process by its state in /proc: 'S' when it sleeps, 'T' when it is stopped. */
bool is_in_state(pid_t tid, char state);
void await_state(pid_t tid, char state);

/* One line of truth: "KEY=VALUE\n", in one write. */
void say(const char *key, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_u64(const char *key, uint64_t value);
/* "PREFIX.ID.KEY=VALUE\n" */
void say_of(const char *prefix, long id, const char *key, uint64_t value);

/* "PROGRAM: TEXT: strerror(errno)" on stderr, exit 1. */
void die(const char *text) __attribute__((noreturn));
/* The same for what this kernel does not have: exit EXIT_SKIP. */
void skip(const char *text) __attribute__((noreturn));
/* Value of a system call or library call that returns -1 and errno; dies with `text`. */
long must(long ret, const char *text);
/* Command-line number argv[i], or `otherwise` when there are fewer. */
long arg_long(int argc, char **argv, int i, long otherwise);

/*
 * Waits for child `pid`, lets it settle, and says pid, status and the switches that the
 * kernel counted for it: `child.PID.switches` has them all but the last switch of
 * each thread that died before its leader.
 */
int reap_and_say(pid_t pid);

#endif
