/* SPDX-License-Identifier: BSD-2-Clause */
/* The progress line: drawn from a report, cut to the width, never ended by a newline. */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "states.h"
#include "text_table.h"

static bool same_file(int fd, const struct stat *tty)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == tty->st_rdev;
}

void progress_init(struct progress *p, FILE *f, bool wanted, bool no_color, int command_out,
		   int command_err)
{
	const char *term = getenv("TERM");
	struct stat tty;

	*p = (struct progress){ .style = text_style_of(f, no_color) };
	if (!wanted || !isatty(fileno(f)) || fstat(fileno(f), &tty))
		return;
	/* without cursor control there is no rewriting a line */
	if (!term || !*term || !strcmp(term, "dumb"))
		return;
	if (!same_file(command_out, &tty) && !same_file(command_err, &tty))
		p->f = f;
}

/* But for children: what they do is in the other states. */
static enum ledger_state longest_wait(const struct account *a)
{
	enum ledger_state top = STATE_RUNQUEUE;

	for (enum ledger_state s = STATE_RUNQUEUE; s < LEDGER_STATES; s++)
		if (s != STATE_CHILD && a->states[s].ns > a->states[top].ns)
			top = s;
	return top;
}

/* "12.3 s  3 processes, 5 threads  on_cpu 45.6 %  futex 32.1 %  12,345 system calls" */
static void progress_text(const struct progress *p, const struct report *r, char *buf, size_t size)
{
	const struct account *a = &r->ledger.tree;
	enum ledger_state top = longest_wait(a);
	char x[FORMAT_LEN], y[FORMAT_LEN], z[FORMAT_LEN];
	size_t len;

	len = (size_t)snprintf(buf, size, "%s  %s process%s, %s thread%s",
			       format_duration(x, r->wall_ns, p->style.utf8),
			       format_count(y, r->processes_live),
			       r->processes_live == 1 ? "" : "es", format_count(z, r->threads_live),
			       r->threads_live == 1 ? "" : "s");
	if (r->ledger.present && a->lifetime_ns)
		len += (size_t)snprintf(buf + len, size - len, "  on_cpu %s  %s %s",
					format_share(x, a->states[STATE_ON_CPU].ns, a->lifetime_ns),
					ledger_state_names[top],
					format_share(y, a->states[top].ns, a->lifetime_ns));
	if (r->syscalls.present)
		snprintf(buf + len, size - len, "  %s system calls",
			 format_count(x, r->syscalls.tree.total));
}

/* Of a job in the background the terminal is the shell's; -1: it is not our own terminal. */
static bool in_background(FILE *f)
{
	pid_t foreground = tcgetpgrp(fileno(f));

	return foreground >= 0 && foreground != getpgrp();
}

void progress_update(struct progress *p, const struct report *r)
{
	char text[256];

	if (!p->f || in_background(p->f))
		return;
	/* the window may have changed; the last column stays free, or terminals wrap */
	p->style.width = text_style_of(p->f, !p->style.color).width;
	progress_text(p, r, text, sizeof(text));
	format_cut(text, sizeof(text), p->style.width - 1, CUT_END, p->style.utf8);
	fputs("\r\033[K", p->f);
	text_colored(p->f, &p->style, COLOR_DIM, text);
	fputc('\r', p->f); /* what the command says next begins its own line */
	fflush(p->f);
	p->drawn = true;
}

void progress_clear(struct progress *p)
{
	if (!p->f || !p->drawn)
		return;
	fputs("\r\033[K", p->f);
	fflush(p->f);
	p->drawn = false;
}
