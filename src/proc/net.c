/* SPDX-License-Identifier: BSD-2-Clause */
/* Each namespace is read once a sample, by the first of its processes. */
#include "net.h"

#include <string.h>
#include <unistd.h>

#include "read.h"

void net_table_init(struct net_table *t)
{
	struct net_ns *own = &t->ns[0];

	memset(t, 0, sizeof(*t));
	t->n = 1;
	own->inode = proc_net_ns(getpid());
	if (!proc_net_read(0, &own->base_rx, &own->base_tx)) {
		own->rx = own->base_rx;
		own->tx = own->base_tx;
	}
}

void net_next(struct net_table *t)
{
	t->sample++;
}

static struct net_ns *find(struct net_table *t, uint64_t inode)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->ns[i].inode == inode)
			return &t->ns[i];
	return NULL;
}

static void refresh(struct net_table *t, struct net_ns *ns, pid_t pid)
{
	uint64_t rx, tx;

	if (ns->read_at == t->sample || proc_net_read(pid, &rx, &tx))
		return;
	ns->read_at = t->sample;
	if (rx > ns->rx) /* an interface that goes takes its count along */
		ns->rx = rx;
	if (tx > ns->tx)
		ns->tx = tx;
}

/* The first is our own: for a namespace that we may not know, or that is one too many. */
static struct net_ns *namespace_of(struct net_table *t, pid_t pid)
{
	uint64_t inode = proc_net_ns(pid);
	struct net_ns *ns = find(t, inode);

	if (ns || !inode || t->n == NET_NAMESPACES)
		return ns ? ns : &t->ns[0];
	ns = &t->ns[t->n++];
	ns->inode = inode;
	proc_net_read(pid, &ns->base_rx, &ns->base_tx);
	ns->rx = ns->base_rx;
	ns->tx = ns->base_tx;
	return ns;
}

void net_of(struct net_table *t, pid_t pid, uint64_t *rx, uint64_t *tx)
{
	struct net_ns *ns = namespace_of(t, pid);

	refresh(t, ns, ns == &t->ns[0] ? 0 : pid);
	ns->used = true;
	*rx = ns->rx - ns->base_rx;
	*tx = ns->tx - ns->base_tx;
}

void net_total(const struct net_table *t, uint64_t *rx, uint64_t *tx)
{
	*rx = *tx = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!t->ns[i].used)
			continue;
		*rx += t->ns[i].rx - t->ns[i].base_rx;
		*tx += t->ns[i].tx - t->ns[i].base_tx;
	}
}
