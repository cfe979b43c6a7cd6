/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSONL: one record a line, denet's (env, metadata, tree or sample) and ours (summary).
 * Flow: jsonl_open, jsonl_env and jsonl_metadata, jsonl_tree at each tick, jsonl_summary,
 * jsonl_close. It reads the members' /proc itself; who they are comes from the caller, or
 * from /proc when the caller does not know (no BPF).
 *
 * A stream that breaks is said once on stderr and remembered (jsonl_failed); every later
 * call does nothing and succeeds, for the run must go on. A file appears whole at
 * jsonl_close, or not at all. When there is no memory for a record, those before it are
 * whole; it and those after it are missing, and of a long one a part is the last line.
 */
#ifndef DWELL_JSONL_H
#define DWELL_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "member.h"
#include "report.h"

struct jsonl;

struct jsonl_config {
	const char *path;         /* -o FILE; NULL: to fd */
	int fd;                   /* --json: stdout (not closed); -1: no records at all */
	const char *stats_path;   /* --stats FILE: the run's statistics as JSON; or NULL */
	bool exclude_children;    /* `sample` of the root alone instead of `tree` */
	bool attached;            /* members of the first tick lived before: count from then on */
	bool since_process_start; /* … unless this */
};

/* Opens the destination before the command starts: a path that cannot be written is an error here.
 */
int jsonl_open(struct jsonl **out, const struct jsonl_config *config);
/* Asks for `env`, which is written with the metadata: it tells that process's cgroup. */
void jsonl_env(struct jsonl *j);
/* argv: NULL-ended, or NULL: read from /proc/PID/cmdline (attach). Call it once PID is the command.
 */
void jsonl_metadata(struct jsonl *j, pid_t pid, char *const argv[]);
/* The last figures of a thread that ended; without it a dead process keeps those of its last
 * sample. */
void jsonl_exit(struct jsonl *j, const struct exit_event *event);
/*
 * A `tree` (or `sample`) record. members: the live processes of the target, root included;
 * NULL: walk /proc from the root. r->bpf false: `ebpf` is {error: bpf_error}.
 */
void jsonl_tree(struct jsonl *j, const struct report *r, const struct proc_member *members,
		size_t n, const char *bpf_error);
void jsonl_summary(struct jsonl *j, const struct report *r);
bool jsonl_failed(const struct jsonl *j);
/*
 * Makes the files appear (keep) or removes them, and frees j; NULL is fine. 0 or -errno, which
 * is of the files alone: ask jsonl_failed of the records before.
 */
int jsonl_close(struct jsonl *j, bool keep);

/* Time to the next tick: base below 1 s of run time, growing linearly to max at 10 s. */
unsigned adaptive_interval_ms(unsigned base_ms, unsigned max_ms, unsigned long long elapsed_ms);

#endif
