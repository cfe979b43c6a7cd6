/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwell run: the command, as if dwell were not there. It stays in dwell's process group,
 * so the terminal's signals reach both; dwell takes none of them for itself, passes on
 * those that were sent to it alone, stops when the command is stopped by the terminal,
 * and ends as the command ended.
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
	pid_t child;
	int signals;         /* signalfd */
	sigset_t given_mask; /* as dwell was started */
	bool exited;
	bool tty_stop; /* the terminal has asked the group to stop */
	bool child_stopped;
	bool give_up;    /* --wait-all was interrupted */
	uint64_t end_ns; /* -d: stop measuring then; 0: never */
};

static const int taken[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP,
			     SIGTTIN, SIGTTOU, SIGCONT, SIGCHLD, SIGPIPE, SIGALRM, SIGWINCH };

static int take_signals(struct run *r)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, &r->given_mask);
	sigdelset(&set, SIGPIPE); /* only kept from ending us: writes tell by EPIPE */
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

/* Only a stop that the terminal asked for is mirrored: `kill -STOP CMD` is CMD's alone. */
static void mirror_stop(struct run *r)
{
	if (!r->tty_stop || !r->child_stopped)
		return;
	r->tty_stop = false;
	kill(getpid(), SIGSTOP);
	/* continued: the shell's SIGCONT went to the group; a lone one to us is passed on */
}

static void reap(struct run *r)
{
	struct monitor *m = &r->monitor;
	struct rusage ru;
	int status;

	while (wait4(r->child, &status, WNOHANG | WUNTRACED | WCONTINUED, &ru) == r->child) {
		if (WIFSTOPPED(status)) {
			r->child_stopped = true;
			if (WSTOPSIG(status) == SIGTTIN || WSTOPSIG(status) == SIGTTOU)
				r->tty_stop = true;
			mirror_stop(r);
		} else if (WIFCONTINUED(status)) {
			r->child_stopped = false;
		} else {
			r->exited = true;
			if (!m->finished && !m->options->wait_all)
				m->stop_ns = session_clock();
			m->status = status;
			m->has_exit = true;
			set_usage(&m->usage, &ru);
			return;
		}
	}
}

static void pass_on(struct run *r, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;
	bool from_terminal = info->ssi_code == SI_KERNEL;

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
	if (!from_terminal && (pid_t)info->ssi_pid != r->child)
		kill(r->child, sig);
	mirror_stop(r);
}

static void take_pending(struct run *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info))
		pass_on(r, &info);
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

	while (take_pending(r), still_waiting(r)) {
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
	int status = r->monitor.status, sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
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

static int start(struct run *r, const struct options *o)
{
	struct launch_user user = { 0 };
	struct launch l = {
		.argv = o->argv,
		.user = &user,
		.stdout_to_stderr = o->json && !o->out,
	};
	int err = o->user ? launch_user(o->user, &user) : 0;

	if (err)
		return err;
	launch_priority_get(&l.priority);
	err = monitor_open(&r->monitor, o, false);
	if (!err)
		err = take_signals(r);
	if (err)
		return err;
	l.mask = r->given_mask;
	if (r->monitor.session)
		session_arm(r->monitor.session);
	err = launch(&l, &r->child);
	if (err == -ENOENT)
		return EXIT_NOT_FOUND;
	if (err == -EACCES || err == -ENOEXEC || err == -EISDIR)
		return EXIT_NOT_EXECUTABLE;
	if (err)
		return err;
	monitor_begin(&r->monitor, r->child, o->argv);
	if (o->duration_s > 0)
		r->end_ns = r->monitor.start_ns + (uint64_t)(o->duration_s * 1e9);
	return 0;
}

int cmd_run(struct options *o)
{
	struct run r = { .signals = -1 };
	int err = start(&r, o), code;

	if (err) {
		monitor_close(&r.monitor);
		return err > 0 ? err : EXIT_DWELL_FAILED;
	}
	loop(&r);
	await_account(&r);
	monitor_finish(&r.monitor);
	err = monitor_close(&r.monitor);
	close(r.signals);
	if (!err)
		err_clear(); /* what went wrong on the way stands in the report's notes */
	code = end_like(&r);
	return err && !code ? EXIT_DWELL_FAILED : code;
}
