/* SPDX-License-Identifier: BSD-2-Clause */
/* What the network probe says on the screen: at most three lines, of what there was. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "names.h"
#include "network_shape.h"

#define LINE_LEN 400

struct line {
	char text[LINE_LEN];
	size_t len;
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < sizeof(l->text) - l->len ? (size_t)n
							       : sizeof(l->text) - l->len - 1;
}

static void add_flow(struct line *l, const char *name, const struct network_flow *f)
{
	char sent[FORMAT_LEN], received[FORMAT_LEN], out[COUNTED_LEN], in[COUNTED_LEN];

	if (!f->sent_messages && !f->received_messages)
		return;
	add(l, "%s%s sent %s in %s, received %s in %s", l->len ? "; " : "", name,
	    format_bytes(sent, f->sent_bytes),
	    format_counted(out, f->sent_messages, "message", "messages"),
	    format_bytes(received, f->received_bytes),
	    format_counted(in, f->received_messages, "message", "messages"));
}

static void flow_sum(struct network_flow *to, const struct network_flow *from)
{
	to->sent_bytes += from->sent_bytes;
	to->sent_messages += from->sent_messages;
	to->received_bytes += from->received_bytes;
	to->received_messages += from->received_messages;
}

/* The peer with more than half of the bytes that went to or came from any. */
static void add_peer(struct line *l, const struct network_report *n, uint64_t bytes)
{
	const struct network_peer_row *top = n->npeers ? n->peers : NULL;
	bool v6 = top && strchr(top->address, ':');

	if (!top || !top->proc_id || !strcmp(top->address, "*") ||
	    (top->counts.sent_bytes + top->counts.received_bytes) * 2 <= bytes)
		return;
	if (!strcmp(top->direction, "in"))
		add(l, "; most of it with %s by port %u", top->address, top->port);
	else
		add(l, "; most of it with %s%s%s:%u", v6 ? "[" : "", top->address, v6 ? "]" : "",
		    top->port);
}

static void text_flows(const struct network_report *n, struct text_lines *t)
{
	const struct network_slot *s = &n->tree.counts;
	static const char *const names[] = { "TCP", "UDP", "unix", "other" };
	struct network_flow sums[4] = { { 0 } };
	struct line l = { .len = 0 };

	for (int i = 0; i < NETWORK_CLASSES; i++)
		flow_sum(&sums[i / 2], &s->flows[i]);
	for (int i = 0; i < 4; i++)
		add_flow(&l, names[i], &sums[i]);
	add_peer(&l, n,
		 sums[0].sent_bytes + sums[0].received_bytes + sums[1].sent_bytes +
			 sums[1].received_bytes);
	if (l.len)
		text_line(t, "%s", l.text);
}

static void add_errors(struct line *l, const struct network_figures *f)
{
	char label[CALL_LABEL_LEN];

	for (size_t i = 0; i < f->nerrors && i < 3; i++)
		add(l, "%s%s %llu", i ? ", " : " (", errno_label(f->errors[i].err, label),
		    (unsigned long long)f->errors[i].count);
	if (f->nerrors)
		add(l, ")");
}

static void text_connections(const struct network_figures *f, struct text_lines *t)
{
	const struct network_slot *s = &f->counts;
	char counted[COUNTED_LEN], n[FORMAT_LEN], time[FORMAT_LEN];
	struct line l = { .len = 0 };

	if (s->opens)
		add(&l, "%s", format_counted(counted, s->opens, "connect", "connects"));
	if (s->opens && s->connected)
		add(&l, ", median %s", format_duration(time, f->connect.p50_ns, t->utf8));
	if (s->connect_failures) {
		add(&l, "%s%s failed", l.len ? ", " : "", format_count(n, s->connect_failures));
		add_errors(&l, f);
	}
	if (s->accepts)
		add(&l, "%s%s", l.len ? "; " : "",
		    format_counted(counted, s->accepts, "accept", "accepts"));
	if (s->accepts && s->accepts_timed)
		add(&l, ", median %s in the queue",
		    format_duration(time, f->accept.p50_ns, t->utf8));
	if (s->listen_drops)
		add(&l, "%s%s dropped as a queue of connections was full", l.len ? "; " : "",
		    format_counted(counted, s->listen_drops, "SYN", "SYNs"));
	if (l.len)
		text_line(t, "%s", l.text);
}

static void text_path(const struct network_figures *f, struct text_lines *t)
{
	const struct network_slot *s = &f->counts;
	char n[FORMAT_LEN], share[FORMAT_LEN], best[FORMAT_LEN], mean[FORMAT_LEN];
	struct line l = { .len = 0 };

	if (f->rtt.count)
		add(&l, "RTT mean %s, least %s", format_duration(mean, f->rtt.mean_ns, t->utf8),
		    format_duration(best, f->rtt.min_ns, t->utf8));
	if (s->retransmits)
		add(&l, "%s%s of TCP segments sent again (%s)", l.len ? "; " : "",
		    format_share(share, s->retransmits, s->segments_sent),
		    format_count(n, s->retransmits));
	if (s->resets_sent || s->resets_received) {
		add(&l, "%sresets: %s sent", l.len ? "; " : "", format_count(n, s->resets_sent));
		add(&l, ", %s received", format_count(n, s->resets_received));
	}
	if (l.len)
		text_line(t, "%s", l.text);
}

void network_text(const struct report *r, struct text_lines *t)
{
	text_flows(&r->network, t);
	text_connections(&r->network.tree, t);
	text_path(&r->network.tree, t);
}
