/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a probe is to the engine: one const descriptor. The command line, the sources,
 * the JSON, its schema and the docs follow from it. To add a probe: a folder under
 * probes/ with its records, both sides and its descriptor, a line in probes/list.c, in
 * bpf/dwell.bpf.c and in report.h, its files in meson.build, a test. Its maps and programs
 * are called NAME_what; calls that it wants to see stand in probes/syscalls/roles.bpf.h.
 */
#ifndef DWELL_PROBE_H
#define DWELL_PROBE_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "report.h"
#include "shape.h"
#include "slots.h"

struct ledger_final;
struct session;
struct probe;
struct text_lines;

#define SOURCE_PROGS 24

/*
 * One way to attach. All of progs must attach, else the next source is tried; of
 * optional, each that can. Only these programs are loaded.
 */
struct source {
	const char *name; /* "tp_btf", "raw_tp", "tracepoint" */
	const char *progs[SOURCE_PROGS];
	const char *optional[SOURCE_PROGS];
	bool hash; /* the object built with -DTASK_HASH: state by task pointer */
};

struct hist_class {      /* histograms of the tree (HIST_MAP) */
	const char *map; /* NULL: the probe has none */
	unsigned n;
};

struct probe_class {
	const char *name;
	const char *summary;            /* one line, for help and docs */
	const struct shape *shape;      /* of summary.NAME; its base is struct report */
	const struct shape *tick_shape; /* of tree.probes.NAME, at every tick; NULL: shape */
	bool (*reported)(const struct report *r); /* whether r holds this probe's part */
	const struct source *sources;             /* best first, ended by a NULL name */
	struct slot_class slots;                  /* figures by process */
	struct hist_class hists;
	bool opt_in; /* not on unless --probes names it */
	/*
	 * Programs, ended by NULL, that an event can meet while they run on its CPU only if it is
	 * nobody's: preemption is off in a tracepoint's program, so it comes from an interrupt, or
	 * from what the program itself does in the kernel. The kernel does not run them for it,
	 * and nothing of a target is lost. May be NULL.
	 */
	const char *const *nested_is_nobodys;
	/* Before load: size maps, set constants. 0 or -errno. */
	int (*configure)(struct probe *p, struct bpf_object *obj);
	/* After attach: look up maps, make user-side tables. */
	int (*start)(struct probe *p);
	/* `run`: the next child that this process forks is the command. May be NULL. */
	void (*arm)(struct probe *p, int launcher);
	/* `attach`: living threads have been taken in, perhaps again. 0 or -errno. */
	int (*seed)(struct probe *p);
	/* A ring record that no one else took; returns true when it was this probe's. */
	bool (*event)(struct probe *p, const struct event_head *head, size_t size);
	/*
	 * A process has ended and its slot is about to be handed back: what the probe keeps by slot
	 * beside `slots` is to be taken and emptied. slot 0: it had none. 0, or -errno: the slot is not
	 * used again. May be NULL.
	 */
	int (*collect)(struct probe *p, uint32_t proc_id, uint32_t slot);
	/* Regularly: takes in what the kernel side holds. May be NULL. */
	void (*poll)(struct probe *p);
	/*
	 * A thread's account: of one that has ended, once; in a report of each living one, after a
	 * call with NULL: forget those of before. The ledger's snapshot comes first. May be NULL.
	 */
	void (*account)(struct probe *p, const struct ledger_final *f);
	/* Reads what is live, fills this probe's part of the report. */
	int (*snapshot)(struct probe *p, struct report *r);
	/* Two or three lines for the summary screen; none when it saw nothing. */
	void (*text)(const struct report *r, struct text_lines *t);
	void (*free)(struct probe *p);
};

struct probe {
	const struct probe_class *class;
	struct session *session;
	struct bpf_object *obj;    /* NULL: no source attached */
	bool obj_shared;           /* obj is the session's, not the probe's own */
	struct bpf_object *beside; /* with obj_shared: has the programs that obj has not loaded */
	const char *forced;        /* only this source, --source; NULL: any */
	const struct source *source;
	struct bpf_link *links[2 * SOURCE_PROGS];
	size_t nlinks;
	struct source_attempt *attempts;
	size_t nattempts;
	void *data; /* the probe's own */
};

extern const struct probe_class *const probe_classes[]; /* NULL-ended; probes/list.c */

/* --- what the engine gives to probes (session.c) --- */

/* The process of a serial number; made when it is not known yet. Never NULL. */
struct process;
/* Map of the probe's object by name; -1 and an error when it has none. */
int probe_map_fd(struct probe *p, const char *name);
/* The -errno with which a program of the chosen source could not be attached; 0: none is known. */
int probe_error(const struct probe *p, const char *program);
/* Whether the program of that name was loaded for p, and attached if it is one to attach. */
bool probe_attached(const struct probe *p, const char *program);
/* Entries for map `name` of this session: --limit, else `entries`. */
uint32_t probe_limit(const struct probe *p, const char *name, uint32_t entries);

#endif
