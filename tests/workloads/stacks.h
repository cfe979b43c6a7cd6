/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workloads that know their stacks. Each takes [CASE] HOW MS, gets itself onto a stack that it
 * knows, says it as one line of JSON, and stays there for MS milliseconds:
 *
 *   {"chain":["stay","chain_c","chain_b","chain_a","main"],"pid":7,"tid":7,"how":"sleep","ms":500}
 *   {"tid":7,"stayed_ns":500061234}
 *
 * `chain` is the functions of the program that are on the thread's stack, leaf first. Frames of
 * libraries stand between and around them and are not listed. The second line comes when the
 * stay is over.
 *
 * HOW: sleep (one sleep), naps (sleeps of 5 ms), futex (one wait), burn (uses a CPU).
 */
#ifndef DWELL_WORKLOAD_STACKS_H
#define DWELL_WORKLOAD_STACKS_H

#ifdef __clang__ /* which makes no clones */
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Written after each call on the way, so that none of them is a jump. */
extern volatile long stacks_sink;

/* Reads HOW and MS from argv[i] on; wrong ones end the program. */
void stay_setup(int argc, char **argv, int i);
/* Says "stay" and the functions in `callers`, a list with blanks between, and stays. */
void stay(const char *callers);
/* The same without a word, for who has said it. */
void stay_silent(void);
/* Ends the program: no such case. */
void stay_usage(const char *cases) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
