/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dwell attach: living processes, by PID, name or cgroup, or all, with their descendants.
 * Ends when they are gone, after -d seconds, or at SIGINT, SIGTERM or SIGHUP, and prints
 * what it has. The accounts of threads found start at the attach.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "err.h"
#include "monitor.h"
#include "read.h"
#include "select.h"

#define PF_KTHREAD 0x200000 /* include/linux/sched.h */

/* A thread, a zombie and a kernel thread answer kill(), and would be followed in vain. */
static int check_pid(pid_t pid)
{
	char path[32], text[2048];
	struct proc_stat st;
	const char *tgid;

	if (proc_stat_read(pid, &st))
		return err_set(-ESRCH, "PID %d", pid);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	tgid = proc_read_file(path, text, sizeof(text)) > 0 ? strstr(text, "\nTgid:") : NULL;
	if (tgid && atoi(tgid + strlen("\nTgid:")) != pid)
		return err_set(-ESRCH, "%d is a thread of process %d", pid,
			       atoi(tgid + strlen("\nTgid:")));
	/* a leader that has ended before its threads is a zombie too */
	if ((st.state == 'Z' && st.threads <= 1) || st.state == 'X')
		return err_set(-ESRCH, "process %d has ended", pid);
	if (st.flags & PF_KTHREAD)
		return err_set(-EINVAL, "%d is a kernel thread", pid);
	return 0;
}

/* again: who has ended meanwhile is passed over. */
static int check_pids(const struct options *o, struct pid_list *targets, bool again)
{
	int err;

	for (size_t i = 0; i < o->npids; i++) {
		if (o->pids[i] == getpid())
			return err_set(-EINVAL, "PID %d is dwell itself", o->pids[i]);
		err = check_pid(o->pids[i]);
		if (err && !again)
			return err;
		if (err) {
			err_clear();
			continue;
		}
		pid_list_add(targets, o->pids[i]);
	}
	return 0;
}

static int collect(const struct options *o, struct pid_list *targets, bool again)
{
	int err = 0;

	targets->n = 0;
	if (o->all)
		return select_all(targets);
	err = check_pids(o, targets, again);
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
		int err = pass ? collect(o, targets, true) : 0;

		/* a target may end meanwhile: those that were taken in stay */
		if (err == -ESRCH)
			err_clear();
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
	int signals = take_signals(), err = signals < 0 ? signals : collect(o, &targets, false);

	if (!err)
		err = monitor_open(&m, o, true);
	if (!err && m.session) {
		m.session->start_ns = session_clock();
		err = seed(m.session, o, &targets);
		if (!err && !o->all && !m.session->counters[COUNTER_THREADS_BORN])
			err = err_set(-ESRCH, "nobody to follow: the target has ended");
	}
	if (!err) {
		if (!m.session && targets.n > 1)
			log_msg(LOG_WARN, "without BPF only PID %d of %zu is sampled",
				targets.pids[0], targets.n);
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
