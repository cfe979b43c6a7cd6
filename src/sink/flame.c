/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: the tree (flame_tree.c), then a head, a still picture of it for viewers without
 * scripts, the tree as JSON, and the script. Text in it is clean (stream.h), so nothing that
 * a process calls itself gets out of its string.
 */
#include "flame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "err.h"
#include "flame_page.h"
#include "flame_tree.h"
#include "format.h"
#include "states.h"
#include "stream.h"

/* Names of XML's vocabularies: nothing is fetched by them. */
#define SVG_NAME "http://www.w3.org/2000/svg"
#define XHTML_NAME "http://www.w3.org/1999/xhtml"

#define WIDTH 1200 /* of the still picture, and what is drawn of it: */
#define LEAST_WIDTH 0.5
#define ROW 18
#define TOP 132
#define LETTER 7.3

struct frame_number {
	const void *key; /* the frame, or a process's or thread's name */
	size_t number;
	UT_hash_handle hh;
};

struct flame {
	struct stream *s;
	struct flame_tree tree;
	struct frame_number *frames;
};

/* --- the still picture --- */

static uint32_t most_state(const struct flame_node *n)
{
	uint32_t most = 0;

	for (uint32_t i = 1; i < LEDGER_STATES; i++)
		if (n->states[i] > n->states[most])
			most = i;
	return most;
}

static void draw_node(struct flame *p, const struct flame_node *n, double x, double width)
{
	size_t y = TOP + n->depth * ROW;

	stream_printf(p->s, "<rect x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"%d\" class=\"", x,
		      y, width, ROW - 1);
	if (n->depth)
		stream_printf(p->s, "st-%s\"/>\n", ledger_state_names[most_state(n)]);
	else
		stream_printf(p->s, "all\"/>\n");
	if (width < 5 * LETTER)
		return;
	stream_printf(p->s, "<text x=\"%.1f\" y=\"%zu\">", x + 3, y + ROW - 5);
	stream_xml(p->s, n->depth ? n->step.name : "all", (size_t)(width / LETTER) - 3);
	stream_printf(p->s, "%s</text>\n", stack_step_suffix(n->step.kind));
}

static int draw_still(struct flame *p, const struct report *r, const char *note)
{
	const struct flame_tree *t = &p->tree;
	double *next = calloc(t->depth + 2, sizeof(*next)); /* where the next of a row begins */
	double whole = (double)t->nodes[0].ns;

	if (!next)
		return err_set(-ENOMEM, "no memory for the flame graph");
	stream_printf(p->s, "<g id=\"still\">\n<text x=\"8\" y=\"24\">");
	stream_xml(p->s, r->target ? r->target : "dwell", 120);
	stream_printf(p->s, "</text>\n<text x=\"8\" y=\"44\" class=\"faint\">%s</text>\n", note);
	for (size_t i = 0; i < t->n; i++) {
		const struct flame_node *n = &t->nodes[i];
		double width = whole > 0 ? WIDTH * ((double)n->ns / whole) : WIDTH;
		double x = next[n->depth];

		next[n->depth] += width;
		next[n->depth + 1] = x;
		if (width >= LEAST_WIDTH)
			draw_node(p, n, x, width);
	}
	stream_printf(p->s, "</g>\n");
	free(next);
	return 0;
}

/* --- the data --- */

static void put_frame(struct flame *p, const struct stack_step *step)
{
	const char *module = step->frame ? step->frame->module : NULL;
	const char *path = step->frame ? step->frame->path : NULL;

	stream_printf(p->s, "%s\n[\"", p->frames->hh.next ? "," : "");
	stream_json(p->s, step->name);
	stream_printf(p->s, "\",%u,\"", step->kind);
	stream_json(p->s, module ? module : "");
	stream_printf(p->s, "\",\"");
	stream_json(p->s, path ? path : "");
	stream_printf(p->s, "\"]");
}

static struct frame_number *find_frame(const struct flame *p, const struct stack_step *step)
{
	const void *key = step->frame ? (const void *)step->frame : step->name;
	struct frame_number *number;

	HASH_FIND_PTR(p->frames, &key, number);
	return number;
}

static int put_frames(struct flame *p)
{
	stream_printf(p->s, "\"frames\":[");
	for (size_t i = 0; i < p->tree.n; i++) {
		const struct stack_step *step = &p->tree.nodes[i].step;
		struct frame_number *number = find_frame(p, step);

		if (number)
			continue;
		number = calloc(1, sizeof(*number));
		if (!number)
			return err_set(-ENOMEM, "no memory for the flame graph");
		number->key = step->frame ? (const void *)step->frame : step->name;
		number->number = HASH_COUNT(p->frames);
		HASH_ADD_PTR(p->frames, key, number);
		put_frame(p, step);
	}
	stream_printf(p->s, "],\n");
	return 0;
}

/* Of each node depth, frame, number of states, and of each state its number and time. */
static void put_nodes(struct flame *p)
{
	stream_printf(p->s, "\"nodes\":[");
	for (size_t i = 0; i < p->tree.n; i++) {
		const struct flame_node *n = &p->tree.nodes[i];
		unsigned states = 0;

		for (size_t k = 0; k < LEDGER_STATES; k++)
			states += n->states[k] != 0;
		stream_printf(p->s, "%s%zu,%zu,%u", i ? ",\n" : "", n->depth,
			      find_frame(p, &n->step)->number, states);
		for (size_t k = 0; k < LEDGER_STATES; k++)
			if (n->states[k])
				stream_printf(p->s, ",%zu,%" PRIu64, k, n->states[k]);
	}
	stream_printf(p->s, "]}\n");
}

static int put_data(struct flame *p, const struct report *r, const char *note)
{
	int err;

	stream_printf(p->s, "{\"target\":\"");
	stream_json(p->s, r->target ? r->target : "dwell");
	stream_printf(p->s, "\",\"note\":\"");
	stream_json(p->s, note);
	stream_printf(p->s, "\",\n\"states\":[");
	for (size_t i = 0; i < LEDGER_STATES; i++)
		stream_printf(p->s, "%s\"%s\"", i ? "," : "", ledger_state_names[i]);
	stream_printf(p->s, "],\n");
	err = put_frames(p);
	if (!err)
		put_nodes(p);
	return err;
}

/* --- around it --- */

/* What is not in it, in words. */
static void make_note(const struct flame *p, const struct report *r, char *note, size_t size)
{
	const struct flame_tree *t = &p->tree;
	char cut[FORMAT_LEN], none[FORMAT_LEN], number[COUNTED_LEN];
	size_t len = 0;

	*note = '\0';
	if (!t->nodes[0].ns)
		len += (size_t)snprintf(note, size, "no stacks");
	if (t->cut)
		len += (size_t)snprintf(
			note, size,
			"%s of less than %.3g %% of it, %s together, stand in their "
			"callers",
			format_counted(number, t->cut, "function", "functions"),
			100.0 / (double)t->share, format_duration(cut, t->cut_ns, false));
	if (r->stacks.not_sampled_ns)
		snprintf(note + len, size - len, "%s%s have no sample", len ? "; " : "",
			 format_duration(none, r->stacks.not_sampled_ns, false));
}

static void put_picture_head(struct flame *p, bool page)
{
	stream_printf(p->s, "<svg xmlns=\"" SVG_NAME "\" id=\"graph\" width=\"%d\" height=\"%zu\" ",
		      WIDTH, TOP + (p->tree.depth + 1) * ROW + 4);
	stream_printf(p->s, "viewBox=\"0 0 %d %zu\">\n", WIDTH,
		      TOP + (p->tree.depth + 1) * ROW + 4);
	if (page)
		return;
	stream_printf(p->s, "<style><![CDATA[\n");
	stream_put(p->s, flame_style, sizeof(flame_style) - 1);
	stream_printf(
		p->s,
		"]]></style>\n<foreignObject width=\"100%%\" height=\"%d\"><div xmlns=\"" XHTML_NAME
		"\" id=\"bar\"></div></foreignObject>\n",
		TOP - 2);
}

static int write_picture(struct flame *p, const struct report *r, const char *note)
{
	int err;

	put_picture_head(p, false);
	err = draw_still(p, r, note);
	stream_printf(p->s, "<script type=\"application/json\" id=\"data\">");
	if (!err)
		err = put_data(p, r, note);
	stream_printf(p->s, "</script>\n<script><![CDATA[\n");
	stream_put(p->s, flame_script, sizeof(flame_script) - 1);
	stream_printf(p->s, "]]></script>\n</svg>\n");
	return err;
}

static int write_page(struct flame *p, const struct report *r, const char *note)
{
	int err;

	stream_printf(p->s,
		      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
		      "'none'; style-src '%s'; script-src '%s'\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
		      flame_style_hash, flame_script_hash);
	stream_xml(p->s, r->target ? r->target : "dwell", 120);
	stream_printf(p->s, "</title>\n<style>");
	stream_put(p->s, flame_style, sizeof(flame_style) - 1);
	stream_printf(p->s, "</style>\n</head>\n<body>\n<div id=\"bar\"></div>\n");
	put_picture_head(p, true);
	err = draw_still(p, r, note);
	stream_printf(p->s, "</svg>\n<script type=\"application/json\" id=\"data\">");
	if (!err)
		err = put_data(p, r, note);
	stream_printf(p->s, "</script>\n<script>");
	stream_put(p->s, flame_script, sizeof(flame_script) - 1);
	stream_printf(p->s, "</script>\n</body>\n</html>\n");
	return err;
}

static void release(struct flame *p)
{
	struct frame_number *number, *next;

	HASH_ITER(hh, p->frames, number, next) {
		HASH_DEL(p->frames, number);
		free(number);
	}
	flame_tree_free(&p->tree);
}

int flame_write(const struct report *r, struct outfile *f, bool page)
{
	struct flame p = { 0 };
	char note[256];
	int err = flame_tree_make(&p.tree, &r->stacks), written;

	if (err)
		return err;
	err = stream_open(&p.s, f, false);
	if (!err) {
		make_note(&p, r, note, sizeof(note));
		err = page ? write_page(&p, r, note) : write_picture(&p, r, note);
	}
	written = stream_close(p.s);
	release(&p);
	return err ?: written;
}
