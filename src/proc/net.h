/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that the network interfaces moved since we began, by network namespace. They are
 * the namespace's, not a process's: all that /proc tells.
 */
#ifndef DWELL_PROC_NET_H
#define DWELL_PROC_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_NAMESPACES 16

struct net_ns {
	uint64_t inode;
	uint64_t base_rx, base_tx, rx, tx;
	uint64_t read_at; /* number of the sample it was read for */
	bool used;        /* by the target */
};

struct net_table {
	struct net_ns ns[NET_NAMESPACES]; /* the first is dwell's own */
	size_t n;
	uint64_t sample;
};

void net_table_init(struct net_table *t);
/* A new sample: each namespace is read again when it is asked for. */
void net_next(struct net_table *t);
/* Since the start, in the namespace of pid; ours when we may not know, or know too many. */
void net_of(struct net_table *t, pid_t pid, uint64_t *rx, uint64_t *tx);
/* Of all namespaces that the target used. */
void net_total(const struct net_table *t, uint64_t *rx, uint64_t *tx);

#endif
