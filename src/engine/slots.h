/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Figures by process, counted by the kernel side in slots (bpf/slot.h). User space reads the
 * mapped rows; when a process has ended its rows are taken out, kept with the process and in
 * the tree's sum, and the slot is handed back. So totals never fall, and memory is bounded
 * by the number of slots, whatever the number of processes.
 */
#ifndef DWELL_SLOTS_H
#define DWELL_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hist.h"
#include "map_window.h"
#include "slot.h"

struct bpf_object;
struct probe;
struct process;
struct session;

/* The rows of one map, as a probe's descriptor has it. All members are __u64. */
struct slot_class {
	const char *map; /* NULL: the probe has none */
	size_t size;     /* of a row */
	/* offsets of members that are maxima, not sums; from the end of them on 0 */
	const uint16_t *maxima;
	size_t nmaxima;
};

#define SLOT_MAPS 8

struct slot_map {
	const struct probe *probe; /* NULL: the engine's own, `usage_slots` */
	struct slot_class class;
	struct map_window rows;
	size_t stride;
	size_t offset;  /* in struct process.figures */
	uint64_t *gone; /* of processes that have been taken out */
	uint64_t *sum;  /* result of the last question */
};

struct slots {
	struct slots_cfg cfg;
	struct slot_map maps[SLOT_MAPS];
	size_t nmaps;
	size_t figures_size; /* of a process, all maps */
	struct map_window owners_at;
	uint64_t *owners; /* all of it is mapped */
	int free_fd;
	struct process *ripe, *fresh; /* dead, to be taken out now, at the next poll */
	size_t nfresh;
	uint64_t collected; /* processes whose end is behind us */
};

/* Before the load: how many slots and stripes; sizes the object's slot maps. */
int slots_configure(struct session *s, struct bpf_object *obj);
/* After all have attached. */
int slots_open(struct session *s);
void slots_close(struct session *s);
/* A process has ended: its slot is taken back a poll later, when what was under way is done. */
void slots_retire(struct session *s, struct process *p);
void slots_collect(struct session *s);
/* Reads what the living have used; before usage_tree() and usage_process(). 0 or -errno. */
int slots_read_usage(struct session *s, bool final);

/* All results are valid until the same is asked again. */
/* Figures of the tree so far, the dead included. NULL: the probe counts in no slot. */
const void *slots_tree(const struct probe *p);
/* Of one process; NULL: it is not known (any more). */
const void *slots_process(const struct probe *p, uint32_t proc_id);
/* The tree's histogram `which` of the probe's hists. */
void slots_hist(struct probe *p, unsigned which, uint64_t buckets[HIST_BUCKETS]);
/* As slots_read_usage() found it. */
const struct usage_slot *usage_tree(const struct session *s);
const struct usage_slot *usage_process(const struct session *s, uint32_t proc_id);

#endif
