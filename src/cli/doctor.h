/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `dwell doctor` finds out, as plain data for the screen and for JSON alike: facts
 * about the machine (doctor_facts.c), and what each probe's sources did when they were
 * really tried (doctor_probes.c).
 */
#ifndef DWELL_DOCTOR_H
#define DWELL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "report.h"

#define MAX_FACTS 32

enum fact_level { FACT_INFO, FACT_OK, FACT_WARN, FACT_FAIL };

struct fact {
	const char *name;
	enum fact_level level;
	const char *value;
	const char *advice; /* what to do about it, or NULL */
};

struct tried_source {
	const char *name;
	const char *key; /* what its state is kept under: "task" or "address" of the task */
	bool ok;
	const char *error; /* "EPERM"; NULL when ok */
	const char *what;  /* the step that refused: "load", a program's name; NULL when ok */
	const char *text;  /* strerror; NULL when ok */
	const char *advice;
};

struct tried_probe {
	const char *name, *summary;
	const char *chosen; /* what dwell will use; NULL: none attaches */
	struct tried_source *sources;
	size_t nsources;
};

struct doctor {
	bool ok; /* every probe can attach */
	struct fact facts[MAX_FACTS];
	size_t nfacts;
	struct tried_probe *probes;
	size_t nprobes;
	bool has_rights;       /* CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN */
	struct report *memory; /* only the arena: owns every string above */
};

void doctor_facts(struct doctor *d);
/* Loads and attaches every source of every probe, one at a time. */
void doctor_probes(struct doctor *d);

#endif
