/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The source mechanism: a probe's ways to attach are tried from best to worst, and only a
 * real attach is believed. Every failure is kept with its errno in probe->attempts.
 *
 * All kernel code is one object (bpf/dwell.bpf.c), built twice: state by task storage, or by
 * task address. Normally it is loaded once, with the programs of every probe's first source;
 * when that does not go, each probe loads it for itself, with its own programs and the maps
 * that are there already.
 */
#ifndef DWELL_SOURCE_H
#define DWELL_SOURCE_H

#include "probe.h"

struct source_env {
	bool hash;    /* state is keyed by task pointer: take such sources only */
	bool any_key; /* the first probe decides: both kinds will do */
	bool seed;    /* load the *_seed iterators too */
	/* sets constants and map sizes that every object has */
	int (*prepare)(struct bpf_object *obj, void *ctx);
	/* what each probe sets, of all that are wanted: their maps may be made in any object; NULL:
	 * of those that are attached */
	int (*configure)(struct bpf_object *obj, void *ctx);
	/* whether a map of that name is to be made */
	bool (*map_wanted)(const char *name, void *ctx);
	/* the descriptor of a map that is there already; below 0: not yet */
	int (*map_made)(const char *name, void *ctx);
	void *ctx;
};

/*
 * Loads one object for all n probes, each by its first source that the kernel may have, and
 * attaches them; then probes[i]->obj is *obj, or NULL when that one did not attach. Programs
 * that were loaded beside it are in *beside, or that is NULL. Not 0: the object could not be
 * loaded, and nothing is attached.
 */
int source_attach_together(struct probe *const *probes, size_t n, const struct source_env *env,
			   struct bpf_object **obj, struct bpf_object **beside);
/* Attaches p by the first source that works. 0, or the last errno when none did. */
int source_attach(struct probe *p, const struct source_env *env);
/* Detaches and unloads; fine on a probe that never attached. */
void source_detach(struct probe *p);

/* Adds a line to the probe's attempts: what was tried and how it went (error 0 or -errno). */
struct source_attempt *source_note(struct probe *p, const char *source, const char *what,
				   int error);

#endif
