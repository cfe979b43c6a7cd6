/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files with code: opened while a process maps them, their unwind tables made and given to the
 * kernel side, their names to who wants them. Tables are shared by build-id.
 *
 * Limits: those of the maps stacks_files, stacks_pages and stacks_blocks (--limit); a file that
 * finds no room there has no table: it is counted, stacks end in it and say so.
 */
#ifndef DWELL_STACKS_FILES_H
#define DWELL_STACKS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "copy.h"
#include "probe.h"
#include "stacks_maps.h"

struct stacks_files;

/* A file with code has a number: as names_file(). */
typedef void stacks_named(void *ctx, uint32_t file, int fd, const char *path, int root_fd);

int stacks_files_open(struct stacks_files **out, struct probe *p, stacks_named *named, void *ctx);
void stacks_files_close(struct stacks_files *f);
/* Files without a table, for want of room or as theirs is damaged. */
uint64_t stacks_files_lost(const struct stacks_files *f);

/* `run`: makes the tables of what the command will map, before it is there. */
void stacks_files_prepare(struct stacks_files *f, const char *command);
/* `attach`: takes in the mappings of the processes that have come with it. */
int stacks_files_seed(struct stacks_files *f);
/* EVENT_STACKS_FILE and EVENT_STACKS_PROCESS. */
void stacks_files_told(struct stacks_files *f, const struct stacks_file_event *event);
void stacks_files_asked(struct stacks_files *f, const struct event_head *head);

/* EVENT_STACKS_COPY: kept until the tables are made. */
void stacks_files_copied(struct stacks_files *f, const struct stacks_copy *copy);

/*
 * Makes the tables of the files that were told of, and walks the stacks that wait for them. A
 * table takes up to 100 ms: the ring is emptied after each, so that files of processes that
 * live for a moment are opened in time.
 */
void stacks_files_work(struct stacks_files *f,
		       void (*walked)(void *ctx, const struct stacks_body *body, size_t size),
		       void *ctx);

/*
 * The stack of a thread that waits, from its registers in `copy` on, which the rest of is room.
 * False: its memory cannot be read.
 */
bool stacks_files_walk(struct stacks_files *f, struct stacks_copy_body *to,
		       struct stacks_copy *copy, pid_t tid);

#endif
