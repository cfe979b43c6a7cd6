/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the command; see launch.h. */
#include "launch.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"

int launch_user(const char *name, struct launch_user *user)
{
	struct passwd *pw = getpwnam(name);
	char *end;
	unsigned long uid;

	if (!pw) {
		errno = 0;
		uid = strtoul(name, &end, 10);
		if (!*name || *end || errno || name[0] == '-' || uid >= (uid_t)-1)
			return err_set(-ENOENT, "no user '%s'", name);
		pw = getpwuid((uid_t)uid);
		if (!pw) {
			*user = (struct launch_user){
				.set = true,
				.uid = (uid_t)uid,
				.gid = (gid_t)uid,
			};
			return 0;
		}
	}
	*user = (struct launch_user){
		.set = true,
		.uid = pw->pw_uid,
		.gid = pw->pw_gid,
		.name = pw->pw_name,
	};
	return 0;
}

static int become(const struct launch_user *u)
{
	int err;

	if (!u->set)
		return 0;
	if (setgid(u->gid))
		return -errno;
	err = u->name ? initgroups(u->name, u->gid) : setgroups(1, &u->gid);
	if (err || setuid(u->uid))
		return -errno;
	return 0;
}

void launch_priority_raise(void)
{
	struct sched_param param = { .sched_priority = 1 };

	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param);
}

enum stage { STAGE_PID, STAGE_USER, STAGE_STDOUT, STAGE_EXEC };

/* What comes back through the launcher's socket: the command's PID, and a step that failed. */
struct word {
	enum stage stage;
	int value; /* PID, or -errno */
};

static void tell(int fd, enum stage stage, int value)
{
	struct word w = { stage, value };

	while (write(fd, &w, sizeof(w)) < 0 && errno == EINTR)
		;
}

_Noreturn static void command(const struct launch *l, int fd, const sigset_t *mask)
{
	int err;

	tell(fd, STAGE_PID, (int)syscall(SYS_getpid));
	err = become(l->user);
	if (err) {
		tell(fd, STAGE_USER, err);
	} else if (l->stdout_to_stderr && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		tell(fd, STAGE_STDOUT, -errno);
	} else {
		sigprocmask(SIG_SETMASK, mask, NULL);
		execvp(l->argv[0], l->argv);
		tell(fd, STAGE_EXEC, -errno);
	}
	_exit(127);
}

/* Waits for the word, starts the command as dwell's own child, and is gone. */
_Noreturn static void wait_and_fork(const struct launch *l, int fd, const sigset_t *mask)
{
	struct word go;
	ssize_t n;
	pid_t pid;

	do {
		n = read(fd, &go, sizeof(go));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(go))
		_exit(1); /* dwell is no more, or has changed its mind */
	pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		command(l, fd, mask);
	if (pid < 0)
		tell(fd, STAGE_PID, -errno);
	_exit(0);
}

int launcher_start(struct launcher *r, const struct launch *l)
{
	sigset_t all, mask;
	int fds[2];

	*r = (struct launcher){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return err_set(-errno, "cannot make a socket");
	/* a Ctrl-C or Ctrl-Z meanwhile is dwell's to pass on */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask);
	r->pid = fork();
	if (!r->pid) {
		close(fds[0]);
		wait_and_fork(l, fds[1], &mask);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(fds[1]);
	if (r->pid < 0) {
		close(fds[0]);
		return err_set(-errno, "cannot fork");
	}
	r->fd = fds[0];
	return 0;
}

void launcher_end(struct launcher *r)
{
	if (r->fd < 0)
		return;
	close(r->fd);
	r->fd = -1;
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int launch(struct launcher *r, const char *name, pid_t *pid, bool *by_exec)
{
	struct word w = { STAGE_PID, 0 };
	int err = 0;

	*pid = -1;
	*by_exec = false;
	if (write(r->fd, &w, sizeof(w)) != sizeof(w))
		return err_set(-errno, "cannot start '%s'", name);
	/* to the end of the stream: the exec has closed it, or the command is gone */
	for (;;) {
		ssize_t n = read(r->fd, &w, sizeof(w));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(w))
			break;
		if (w.stage == STAGE_PID && w.value > 0)
			*pid = w.value;
		else
			err = w.value;
		*by_exec |= w.stage == STAGE_EXEC;
	}
	launcher_end(r);
	if (!err && *pid > 0)
		return 0;
	if (*pid > 0)
		waitpid(*pid, NULL, 0);
	*pid = -1;
	return err_set(err ? err : -ECHILD, "cannot run '%s'", name);
}
