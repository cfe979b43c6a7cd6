/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What run and attach share while they measure: the session (or its absence), the records,
 * the progress line, the tick, and the report at the end.
 */
#ifndef DWELL_MONITOR_H
#define DWELL_MONITOR_H

#include <sys/types.h>

#include "jsonl.h"
#include "options.h"
#include "progress.h"
#include "session.h"
#include "stack_files.h"

#define TARGET_WIDTH 240 /* columns: at most 4 bytes each fit */

struct monitor {
	const struct options *options;
	struct session *session; /* NULL: BPF is not permitted or not wanted */
	char bpf_error[256];     /* why, when session is NULL */
	char bpf_hint[256];
	char target[1024]; /* command line, "pid 12", …; a long one ends in … */
	struct jsonl *jsonl;
	struct progress progress;
	pid_t root; /* the command, or the first PID attached to */
	uint64_t start_ns, stop_ns;
	uint64_t next_tick_ns;
	bool finished;      /* monitor_finish() has run */
	uint64_t launch_ns; /* before the command was started; 0: it ran already */
	bool evidence_failed;
	struct outfile *evidence; /* of --evidence; NULL: none wanted */
	struct stack_files stack_files;
	struct usage usage; /* of the command, once reaped */
	bool has_exit;
	int status; /* as of wait(2) */
};

/* Opens records first, then the session. 0 or -errno: dwell itself cannot go on. */
int monitor_open(struct monitor *m, const struct options *options, bool attach);
void monitor_begin(struct monitor *m, pid_t root, char *const argv[]);
/* Milliseconds until the next tick is due; never more than 1000. */
int monitor_timeout(const struct monitor *m);
/* Takes in what was told; writes a record and the progress line when the tick is due. */
void monitor_turn(struct monitor *m);
/* Nothing after this moment is measured: reports to screen and records. */
void monitor_finish(struct monitor *m);
/* Closes all. 0, or -EIO when a stream broke or a file could not be completed. */
int monitor_close(struct monitor *m);

#endif
