/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The source mechanism: a probe's ways to attach are tried from best to worst, and only a
 * real attach is believed. Every failure is kept with its errno in probe->attempts.
 */
#ifndef DWELL_SOURCE_H
#define DWELL_SOURCE_H

#include "probe.h"

#define SHARED_MAPS 4

struct source_env {
	const char *forced; /* only this source; NULL: any */
	bool hash;          /* state is keyed by task pointer: take such sources only */
	bool any_key;       /* the first probe decides: both kinds will do */
	bool seed;          /* load the *_seed iterators too */
	struct {
		const char *name;
		int fd;
	} shared[SHARED_MAPS]; /* maps to reuse */
	/* sets constants and map sizes that every object has */
	int (*prepare)(struct probe *p, struct bpf_object *obj, void *ctx);
	void *ctx;
};

/* Attaches p by the first source that works. 0, or the last errno when none did. */
int source_attach(struct probe *p, const struct source_env *env);
/* Detaches and unloads; fine on a probe that never attached. */
void source_detach(struct probe *p);

#endif
