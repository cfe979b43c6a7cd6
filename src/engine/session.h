/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: the BPF programs of the chosen probes, attached, and the tree of processes
 * that they follow. Flow: session_open loads and attaches; session_arm (run) or
 * session_seed (attach) says whom to follow; session_poll takes in what ended;
 * session_report makes a report of now. All programs leave with the process.
 */
#ifndef DWELL_SESSION_H
#define DWELL_SESSION_H

#include <sys/types.h>

#include "member.h"
#include "options.h"
#include "probe.h"
#include "report.h"
#include "tree.h"

struct session {
	const struct options *options;
	struct probe target;  /* bpf/target.bpf.c: membership, not a probe of the user's */
	struct probe *probes; /* the chosen ones, in probe_classes' order */
	size_t nprobes;
	struct bpf_object *shared; /* of all probes that attached by their first source */
	struct bpf_object *beside; /* the rest of its programs; NULL: shared has all */
	const struct probe
		*alone; /* that loads an object for itself just now; NULL: all together */
	const struct probe_class *only; /* a trial of one probe; NULL: by the options */
	bool hash;   /* task state keyed by pointer (raw_tp), for all objects alike */
	bool attach; /* iterators that seed living threads are loaded */
	struct ring_buffer *ring;
	struct control *control; /* mapped */
	uint64_t *counters;      /* mapped, COUNTER_MAX */
	struct tree tree;
	struct slots slots;
	struct usage_slot usage, usage_now; /* of the tree, engine/slots.c */
	void (*on_exit)(void *ctx, const struct exit_event *event); /* may be NULL */
	void *on_exit_ctx;
	char notes[8][160]; /* what is missing, for the trust block */
	size_t nnotes;
	uint64_t begin_ns; /* exec of dwell, CLOCK_MONOTONIC */
	uint64_t start_ns; /* the command's fork, or the attach */
	uint64_t stop_ns;  /* when what was measured ended; 0: not yet */
};

/*
 * Loads and attaches. -EPERM and the like when BPF is not permitted: err_text() says what
 * is missing and the caller goes on without. `attach`: living threads can be taken in.
 */
int session_open(struct session **out, const struct options *options, bool attach);
void session_close(struct session *s);

/* Whether the probe of that name is to run in this session. */
bool session_wants(const struct session *s, const char *name);
/* A record of the ring; ctx: the session. */
int session_event(void *ctx, void *data, size_t size);

/* The next child that this thread of ours forks is the root of the target. */
void session_arm(struct session *s, pid_t launcher);
/* Takes in living processes and their threads; returns how many were new, or -errno. */
int session_seed(struct session *s, const pid_t *pids, size_t n);
/* fd that becomes readable when the ring wants to be emptied. */
int session_fd(const struct session *s);
/* Takes in what the kernel side has told since. */
void session_poll(struct session *s);
/* Whether births or ends of threads were refused by the ring. */
bool session_lost_ends(const struct session *s);
/* Threads of the target that have not ended, as the kernel side counts them. */
uint64_t session_live_threads(const struct session *s);
/*
 * Waits, for a second at most, until who has begun to exit has left its last CPU: where others
 * keep that busy it is a while.
 */
void session_settle(struct session *s);
/* A report of now; free it with report_free(). */
struct report *session_report(struct session *s, bool final);
/* Live processes of the target; freed by the caller. */
struct proc_member *session_members(struct session *s, size_t *n);

uint64_t session_clock(void); /* CLOCK_MONOTONIC, ns: the kernel side's bpf_ktime_get_ns() */
/* A line for the trust block: what is missing and why. Beyond eight they are dropped. */
void session_note(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Shows each probe that wants to see it a thread's account; probe.h. */
void session_account(struct session *s, const struct ledger_final *f);
/* Runs an iterator program of p's object to its end; whole records go to `take`. */
int session_iterate(struct probe *p, const char *prog_name,
		    void (*take)(void *ctx, const void *data, size_t size), void *ctx);
/* The same over the elements of the map `map` (a program of iter/bpf_map_elem). */
int session_iterate_map(struct probe *p, const char *prog_name, const char *map,
			void (*take)(void *ctx, const void *data, size_t size), void *ctx);

/* The same over what the kernel has of one thread (a program of iter/task_vma). */
int session_iterate_task(struct probe *p, const char *prog_name, pid_t tid,
			 void (*take)(void *ctx, const void *data, size_t size), void *ctx);

/*
 * Loads and attaches `source` of `class` (NULL: the target object) alone, and lets go of
 * it again. 0, or -errno with attempt->what saying which step refused.
 */
int session_try_source(const struct probe_class *class, const struct source *source,
		       struct source_attempt *attempt);
extern const struct probe_class target_class; /* for doctor: name "target" */

#endif
