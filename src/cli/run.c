/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwell run: the command, as if dwell were not there. It stays in dwell's process group,
 * so the terminal's signals reach both; dwell takes none of them for itself, passes on
 * those that were sent to it alone, stops when the command is stopped by the terminal or
 * its job is in the foreground, and ends as the command ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "launch.h"
#include "monitor.h"

struct run {
	struct monitor monitor;
	struct launcher launcher;
	pid_t child;
	int signals; /* signalfd */
	bool exited;
	bool tty_stop; /* the terminal has asked the group to stop */
	bool child_stopped;
	bool give_up;    /* --wait-all was interrupted */
	uint64_t end_ns; /* -d: stop measuring then; 0: never */
	int closing;     /* of the records, when they were closed before the command's end */
};

/* All but those that tell of a fault of our own, and what cannot be taken. */
static void all_signals(sigset_t *set)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(set, own[i]);
}

static int take_signals(struct run *r)
{
	struct sigaction chld = { .sa_handler = SIG_DFL };
	sigset_t set;

	all_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* ignored, as some parents leave it, it would keep the command's end from us */
	sigaction(SIGCHLD, &chld, NULL);
	/* only kept from ending us: writes tell by EPIPE and EFBIG */
	sigdelset(&set, SIGPIPE);
	sigdelset(&set, SIGXFSZ);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 ? err_set(-errno, "cannot take signals") : 0;
}

static void set_usage(struct usage *u, const struct rusage *ru)
{
	u->present = true;
	u->user_ns =
		(uint64_t)ru->ru_utime.tv_sec * 1000000000 + (uint64_t)ru->ru_utime.tv_usec * 1000;
	u->system_ns =
		(uint64_t)ru->ru_stime.tv_sec * 1000000000 + (uint64_t)ru->ru_stime.tv_usec * 1000;
	u->max_rss_kb = (uint64_t)ru->ru_maxrss;
	u->minor_faults = (uint64_t)ru->ru_minflt;
	u->major_faults = (uint64_t)ru->ru_majflt;
	u->voluntary = (uint64_t)ru->ru_nvcsw;
	u->involuntary = (uint64_t)ru->ru_nivcsw;
	u->blocks_in = (uint64_t)ru->ru_inblock;
	u->blocks_out = (uint64_t)ru->ru_oublock;
}

/* Are we a job of our own, which the shell that made it waits for at its terminal? */
static bool in_foreground(void)
{
	if (getpgid(getppid()) == getpgrp())
		return false;
	for (int fd = 0; fd < 3; fd++)
		if (tcgetpgrp(fd) == getpgrp())
			return true;
	return false;
}

/*
 * A stop that the terminal asked for is mirrored, and any stop of the job in the foreground:
 * its shell waits to be told. Elsewhere `kill -STOP CMD` is CMD's alone.
 */
static void mirror_stop(struct run *r)
{
	if (!r->child_stopped || !(r->tty_stop || in_foreground()))
		return;
	r->tty_stop = false;
	kill(getpid(), SIGSTOP);
	/* continued: the shell's SIGCONT went to the group; a lone one to us is passed on */
}

static void set_exit(struct run *r, int status, const struct rusage *ru)
{
	struct monitor *m = &r->monitor;

	r->exited = true;
	if (!m->finished && !m->options->wait_all)
		m->stop_ns = session_clock();
	m->status = status;
	m->has_exit = true;
	set_usage(&m->usage, ru);
}

static void reap(struct run *r)
{
	struct rusage ru;
	int status;
	pid_t pid;

	while (!r->exited &&
	       (pid = wait4(r->child, &status, WNOHANG | WUNTRACED | WCONTINUED, &ru)) != 0) {
		if (pid < 0) { /* somebody else has reaped it: how it ended is not known */
			r->exited = errno == ECHILD;
			return;
		}
		if (WIFSTOPPED(status)) {
			r->child_stopped = true;
			if (WSTOPSIG(status) == SIGTTIN || WSTOPSIG(status) == SIGTTOU)
				r->tty_stop = true;
			mirror_stop(r);
		} else if (WIFCONTINUED(status)) {
			r->child_stopped = false;
		} else {
			set_exit(r, status, &ru);
		}
	}
}

/* A hangup goes to the leader of the session alone. */
static bool for_us_alone(const struct signalfd_siginfo *info)
{
	if (info->ssi_code == SI_KERNEL)
		return info->ssi_signo == SIGHUP && getsid(0) == getpid();
	return true;
}

/* early: what the terminal sent before the command was there has not reached it. */
static void pass_on(struct run *r, const struct signalfd_siginfo *info, bool early)
{
	int sig = (int)info->ssi_signo;
	pid_t from = (pid_t)info->ssi_pid;

	if (sig == SIGCHLD)
		return;
	if (r->exited) { /* --wait-all: now the signals are for us */
		r->give_up |= sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
		return;
	}
	if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
		r->tty_stop = true;
	if (sig == SIGCONT)
		r->tty_stop = false;
	if ((early || for_us_alone(info)) && from != r->child && from != getpid())
		kill(r->child, sig);
	if (sig != SIGCONT) /* it is going on: that it was stopped is told anew, or it was not */
		mirror_stop(r);
}

static void take_pending(struct run *r, bool early)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info))
		pass_on(r, &info, early);
	if (!r->exited)
		reap(r);
}

static bool still_waiting(const struct run *r)
{
	const struct monitor *m = &r->monitor;

	if (!r->exited)
		return true;
	return m->options->wait_all && m->session && !r->give_up && !m->finished &&
	       session_live_threads(m->session);
}

static void loop(struct run *r)
{
	struct monitor *m = &r->monitor;
	struct pollfd fds[2] = {
		{ .fd = r->signals, .events = POLLIN },
		{ .fd = m->session ? session_fd(m->session) : -1, .events = POLLIN },
	};

	while (take_pending(r, false), still_waiting(r)) {
		int timeout = m->finished ? -1 : monitor_timeout(m);

		if (r->exited && (timeout < 0 || timeout > 20))
			timeout = 20; /* nobody tells us of the last descendant's end */
		if (r->end_ns && !m->finished && timeout > 10)
			timeout = 10;
		poll(fds, 2, timeout);
		if (!m->finished)
			monitor_turn(m);
		if (r->end_ns && session_clock() >= r->end_ns && !m->finished) {
			monitor_finish(m);
			r->closing = monitor_close(m); /* nothing stays attached */
			fds[1].fd = -1;
		}
	}
}

/* wait4() returns a moment before the command's last switch is accounted. */
static void await_account(struct run *r)
{
	struct monitor *m = &r->monitor;
	uint64_t now = session_clock(), limit = now + 200000000, soon = now + 10000000;
	const struct process *root;

	if (!m->session || m->finished)
		return;
	while (session_clock() < limit) {
		session_poll(m->session);
		root = tree_find(&m->session->tree, m->session->tree.root_proc_id);
		if (root && root->dead)
			return;
		if (session_lost_ends(m->session) && session_clock() > soon)
			return; /* what is missing will not come */
		usleep(200);
	}
}

/* Ends as the command ended, by the same signal if it was one; a core would be ours, not its. */
static int end_like(const struct run *r)
{
	int status = r->monitor.has_exit ? r->monitor.status : EXIT_DWELL_FAILED << 8,
	    sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	struct rlimit none = { 0, 0 };
	sigset_t set;

	if (!sig)
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	kill(getpid(), sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + sig;
}

static int exec_exit(int err)
{
	return err == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static int start(struct run *r, const struct options *o, const struct launch *l)
{
	struct monitor *m = &r->monitor;
	bool by_exec;
	int err = launcher_start(&r->launcher, l);

	if (!err)
		err = monitor_open(m, o, false);
	if (!err)
		err = take_signals(r);
	if (err)
		return err;
	if (o->wait_all && !m->session)
		log_msg(LOG_WARN, "--wait-all needs BPF: the command's end ends the run");
	m->launch_ns = session_clock();
	if (m->session)
		session_arm(m->session, r->launcher.pid);
	err = launch(&r->launcher, o->argv[0], &r->child, &by_exec);
	if (err)
		return by_exec ? exec_exit(err) : err;
	monitor_begin(m, r->child, o->argv);
	take_pending(r, true);
	if (o->duration_s > 0)
		r->end_ns = m->start_ns + (uint64_t)(o->duration_s * 1e9);
	return 0;
}

int cmd_run(struct options *o)
{
	struct run r = { .signals = -1, .launcher = { .fd = -1 } };
	struct launch_user user = { 0 };
	struct launch l = {
		.argv = o->argv,
		.user = &user,
		.stdout_to_stderr = options_owns_stdout(o),
	};
	int err = o->user ? launch_user(o->user, &user) : 0, code;

	if (!err)
		err = start(&r, o, &l);
	if (err) {
		launcher_end(&r.launcher);
		monitor_close(&r.monitor);
		return err > 0 ? err : EXIT_DWELL_FAILED;
	}
	loop(&r);
	await_account(&r);
	monitor_finish(&r.monitor);
	err = monitor_close(&r.monitor);
	err = err ? err : r.closing;
	close(r.signals);
	if (!err)
		err_clear(); /* what went wrong on the way stands in the report's notes */
	code = end_like(&r);
	return err && !code ? EXIT_DWELL_FAILED : code;
}
