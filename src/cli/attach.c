/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwell attach: living processes, by PID, name or cgroup, or all, with their descendants.
 * Ends when they are gone, after -d seconds, or at SIGINT, SIGTERM or SIGHUP, and prints
 * what it has. The accounts of threads found start at the attach.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "err.h"
#include "monitor.h"
#include "select.h"

static int check_pids(const struct options *o, struct pid_list *targets)
{
	for (size_t i = 0; i < o->npids; i++) {
		if (o->pids[i] == getpid())
			return err_set(-EINVAL, "PID %d is dwell itself", o->pids[i]);
		if (kill(o->pids[i], 0) && errno == ESRCH)
			return err_set(-ESRCH, "PID %d", o->pids[i]);
		pid_list_add(targets, o->pids[i]);
	}
	return 0;
}

static int collect(const struct options *o, struct pid_list *targets)
{
	int err = 0;

	targets->n = 0;
	if (o->all)
		return select_all(targets);
	err = check_pids(o, targets);
	if (!err && o->name)
		err = select_name(targets, o->name);
	if (!err && o->cgroup)
		err = select_cgroup(targets, o->cgroup);
	if (!err && !targets->n)
		return o->name ? err_set(-ESRCH, "no process is called '%s'", o->name)
			       : err_set(-ESRCH, "no process to attach to");
	if (!err && !o->exclude_children)
		err = select_descendants(targets);
	return err;
}

/* Passes until one finds nobody new: what is born meanwhile is followed by the hooks. */
static int seed(struct session *s, const struct options *o, struct pid_list *targets)
{
	int fresh = 0;

	for (int pass = 0; pass < 8; pass++) {
		int err = pass ? collect(o, targets) : 0;

		/* a target may end meanwhile: those that were taken in stay */
		if (err)
			return err == -ESRCH ? 0 : err;
		fresh = session_seed(s, targets->pids, targets->n);
		if (fresh <= 0)
			break;
	}
	return fresh < 0 ? fresh : 0;
}

static int take_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? err_set(-errno, "cannot take signals") : fd;
}

static bool anyone_left(const struct monitor *m, const struct pid_list *targets)
{
	if (m->session)
		return session_live_threads(m->session) > 0;
	for (size_t i = 0; i < targets->n; i++)
		if (!kill(targets->pids[i], 0) || errno == EPERM)
			return true;
	return false;
}

static void loop(struct monitor *m, const struct pid_list *targets, int signals)
{
	const struct options *o = m->options;
	uint64_t end = o->duration_s > 0 ? m->start_ns + (uint64_t)(o->duration_s * 1e9) : 0;
	struct pollfd fds[2] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = m->session ? session_fd(m->session) : -1, .events = POLLIN },
	};

	while (anyone_left(m, targets)) {
		int timeout = monitor_timeout(m);
		uint64_t now = session_clock();

		if (timeout > 50)
			timeout = 50; /* an end of the targets is seen by looking */
		if (end && now >= end)
			break;
		if (end && (end - now) / 1000000 < (uint64_t)timeout)
			timeout = (int)((end - now) / 1000000) + 1;
		if (poll(fds, 2, timeout) > 0 && (fds[0].revents & POLLIN))
			break;
		monitor_turn(m);
	}
}

static int check_end(struct monitor *m)
{
	monitor_finish(m);
	return monitor_close(m) ? err_set(-EIO, "the records are not complete") : 0;
}

int cmd_attach(struct options *o)
{
	/* signals first: opening takes a moment, and a Ctrl-C meanwhile still prints */
	struct pid_list targets = { 0 };
	struct monitor m = { 0 };
	int signals = take_signals(), err = signals < 0 ? signals : collect(o, &targets);

	if (!err)
		err = monitor_open(&m, o, true);
	if (!err && m.session) {
		m.session->start_ns = session_clock();
		err = seed(m.session, o, &targets);
	}
	if (!err) {
		monitor_begin(&m, targets.n ? targets.pids[0] : 0, NULL);
		loop(&m, &targets, signals);
		err = check_end(&m);
	} else {
		monitor_close(&m);
	}
	if (signals >= 0)
		close(signals);
	pid_list_free(&targets);
	return err ? EXIT_DWELL_FAILED : 0;
}
