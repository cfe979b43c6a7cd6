/* SPDX-License-Identifier: BSD-2-Clause */
/* Workload `locks`: a mode is a row; each says its truth as key=value lines. */
#ifndef DWELL_WORKLOAD_LOCKS_H
#define DWELL_WORKLOAD_LOCKS_H

/* futex system calls by hand: what was called and what came back, exactly. */
void raw_calls(int argc, char **argv);
/* System V and named POSIX semaphores, ditto. */
void sysv_semaphores(int argc, char **argv);
void named_semaphore(int argc, char **argv);

/* Threads that wait for one glibc object of each kind, all of them static variables. */
void mutex(int argc, char **argv);
void heap_mutex(int argc, char **argv);
void stack_mutex(int argc, char **argv);
void condition(int argc, char **argv);
void semaphore(int argc, char **argv);
void rwlock(int argc, char **argv);
void barrier(int argc, char **argv);

/* Threads that never go on: two, COUNT in a ring, one alone; a wait that is only long. */
void deadlock(int argc, char **argv);
void relock(int argc, char **argv);
void slow(int argc, char **argv);
/* Takes two locks in both orders, one after the other; or always in the same. */
void both_orders(int argc, char **argv);
void one_order(int argc, char **argv);

/* Threads that rename files of one directory, whose inode's rwsem they all want. */
void directory(int argc, char **argv);

#endif
