/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the command; see launch.h. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
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

void launch_priority_get(struct launch_priority *p)
{
	struct sched_param param = { 0 };

	p->policy = sched_getscheduler(0);
	p->realtime = sched_getparam(0, &param) ? 0 : param.sched_priority;
	p->nice = getpriority(PRIO_PROCESS, 0);
}

void launch_priority_raise(void)
{
	struct sched_param param = { .sched_priority = 1 };

	sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param);
}

/* The reset on fork made the child an ordinary one; it may have been given otherwise. */
static void restore(const struct launch_priority *p)
{
	struct sched_param param = { .sched_priority = p->realtime };

	if (p->policy > 0 && p->policy != sched_getscheduler(0))
		sched_setscheduler(0, p->policy, &param);
	if (p->nice != getpriority(PRIO_PROCESS, 0))
		setpriority(PRIO_PROCESS, 0, p->nice);
}

_Noreturn static void child(const struct launch *l, int report)
{
	int err;
	ssize_t n;

	restore(&l->priority);
	err = become(l->user);

	if (!err && l->stdout_to_stderr && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		err = -errno;
	if (!err) {
		sigprocmask(SIG_SETMASK, &l->mask, NULL);
		execvp(l->argv[0], l->argv);
		err = -errno;
	}
	n = write(report, &err, sizeof(err));
	_exit(n == sizeof(err) ? 127 : 126);
}

int launch(const struct launch *l, pid_t *pid)
{
	int pipefd[2], err = 0;
	ssize_t n;

	if (pipe2(pipefd, O_CLOEXEC))
		return err_set(-errno, "cannot make a pipe");
	*pid = fork();
	if (*pid < 0) {
		err = -errno;
		close(pipefd[0]);
		close(pipefd[1]);
		return err_set(err, "cannot fork");
	}
	if (!*pid)
		child(l, pipefd[1]);
	close(pipefd[1]);
	do {
		n = read(pipefd[0], &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	close(pipefd[0]);
	if (n != sizeof(err))
		return 0;
	waitpid(*pid, NULL, 0);
	*pid = -1;
	return err_set(err, "cannot run '%s'", l->argv[0]);
}
