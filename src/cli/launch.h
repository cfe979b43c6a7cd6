/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a command as if dwell were not there: its signal mask, dispositions, descriptors,
 * environment, directory and terminal are those that dwell was given.
 */
#ifndef DWELL_LAUNCH_H
#define DWELL_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct launch_user {
	bool set;
	uid_t uid;
	gid_t gid;
	const char *name; /* for initgroups */
	const char *home, *shell;
};

/* Looks up a user by name or number, before anything is started. 0 or -errno. */
int launch_user(const char *name, struct launch_user *user);

struct launch_priority {
	int policy, realtime, nice;
};

/* dwell's own, as it was started. */
void launch_priority_get(struct launch_priority *p);
/*
 * A ring that is not emptied in time loses rows. Among thousands of runnable threads a fair
 * share comes too late, so dwell, which needs a thousandth of a CPU, goes first. Refused is
 * fine. What is forked from here on is not affected.
 */
void launch_priority_raise(void);

struct launch {
	char *const *argv;
	const struct launch_user *user;
	bool stdout_to_stderr;
	sigset_t mask;                   /* of the command */
	struct launch_priority priority; /* ditto */
};

/*
 * Forks and runs the command; returns when its program runs or could not. 0 with *pid, or
 * -errno of exec (the child is reaped). The forking thread is the caller's.
 */
int launch(const struct launch *l, pid_t *pid);

#endif
