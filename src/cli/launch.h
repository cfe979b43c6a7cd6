/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a command as if dwell were not there: its signal mask, dispositions, descriptors,
 * environment, directory, terminal and priority are those that dwell was given. To that end
 * a launcher is forked while dwell is still small and as it was started: the command's own
 * peak of memory would otherwise begin with dwell's. When all is attached the launcher
 * forks the command as dwell's child (CLONE_PARENT) and is gone.
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
};

struct launcher {
	pid_t pid;
	int fd; /* -1: not started, or done */
};

/* l lives until launch(). 0 or -errno. */
int launcher_start(struct launcher *r, const struct launch *l);
/* When nothing is to be launched after all; fine on one that is done. */
void launcher_end(struct launcher *r);
/*
 * Runs the command; returns when its program runs or could not. 0 with *pid, or -errno (the
 * child is reaped), by_exec telling whether it is that of exec.
 */
int launch(struct launcher *r, const char *name, pid_t *pid, bool *by_exec);

#endif
