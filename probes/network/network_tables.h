/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of a report: peers, open connections, listening sockets, errors of connects. */
#ifndef DWELL_NETWORK_TABLES_H
#define DWELL_NETWORK_TABLES_H

#include "harvest.h"
#include "probe.h"

/* p->data: tables by process, with what the dead have left. */
struct network_data {
	struct harvest peers, errors;
};

extern const struct harvest_class network_peers_class, network_errors_class;

/* Live sockets as the iterator gave them. */
struct network_lives {
	struct network_live *rows;
	size_t n, room;
};

void network_lives_add(void *lives, const void *data, size_t size);
/* Sets connections, listeners and, in the figures, how many are open. */
void network_fill_sockets(struct probe *p, struct report *r, const struct network_lives *lives);
/* 0 or -errno. */
int network_fill_peers(struct probe *p, struct report *r);
int network_fill_errors(struct probe *p, struct report *r);
/* Once all processes have their row. */
void network_index_rows(struct report *r);
/* The row of a process; NULL: it has none. */
struct network_row *network_row_of(const struct report *r, uint32_t proc_id);

#endif
