/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words get numbers, a row becomes a list of them, equal lists become one path. Where most of a
 * state's time is, is found from the root on: down to the last function that still has half of it.
 */
#include "code_paths.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "code_words.h"
#include "err.h"

#define PATHS 10

struct word {
	struct code_word word;
	uint32_t number;
	UT_hash_handle hh;
};

struct path {
	const struct stack_row *row;
	uint32_t *words; /* root first; in struct maker's pool */
	size_t n, from;
	uint64_t ns, count;
};

struct maker {
	struct word *words[2]; /* functions, files */
	const struct word **numbered;
	size_t nwords, words_room;
	uint32_t *pool;
	size_t used, room;
	struct path *paths;
	size_t npaths;
};

/* ---- rows to paths ---- */

static uint32_t number_of(struct maker *m, const struct code_word *word)
{
	struct word *w = NULL;

	HASH_FIND(hh, m->words[word->file], word->text, word->len, w);
	if (w)
		return w->number;
	w = or_abort(calloc(1, sizeof(*w)));
	w->word = *word;
	w->number = (uint32_t)m->nwords;
	HASH_ADD_KEYPTR(hh, m->words[word->file], w->word.text, w->word.len, w);
	if (m->nwords == m->words_room) {
		m->words_room = m->words_room ? 2 * m->words_room : 256;
		m->numbered =
			or_abort(reallocarray(m->numbered, m->words_room, sizeof(struct word *)));
	}
	m->numbered[m->nwords++] = w;
	return w->number;
}

static void add_path(struct maker *m, const struct stack_row *row)
{
	struct code_words words = code_words_begin(row);
	struct path *p = &m->paths[m->npaths++];
	struct code_word word;

	*p = (struct path){ .row = row, .from = m->used, .ns = row->ns, .count = row->count };
	while (code_words_next(&words, &word)) {
		if (m->used == m->room) {
			m->room = m->room ? 2 * m->room : 4096;
			m->pool = or_abort(reallocarray(m->pool, m->room, sizeof(*m->pool)));
		}
		m->pool[m->used++] = number_of(m, &word);
		p->n++;
	}
}

static int compare(const struct path *a, const struct path *b)
{
	int order = strcmp(a->row->comm ? a->row->comm : "", b->row->comm ? b->row->comm : "");

	if (!order)
		order = (a->row->state > b->row->state) - (a->row->state < b->row->state);
	for (size_t i = 0; !order && i < a->n && i < b->n; i++)
		order = (a->words[i] > b->words[i]) - (a->words[i] < b->words[i]);
	return order ? order : (a->n > b->n) - (a->n < b->n);
}

static int by_code(const void *a, const void *b)
{
	const struct path *x = a, *y = b;
	int order = compare(x, y);

	return order ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_time(const void *a, const void *b)
{
	const struct path *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return by_code(a, b);
}

static void find_paths(struct maker *m, const struct stacks_report *s)
{
	size_t n = 0;

	m->paths = or_abort(calloc(s->nrows + 1, sizeof(*m->paths)));
	for (size_t i = 0; i < s->nrows; i++)
		if (s->rows[i].count && s->rows[i].nframes)
			add_path(m, &s->rows[i]);
	for (size_t i = 0; i < m->npaths; i++) /* the pool has come to rest */
		m->paths[i].words = m->pool + m->paths[i].from;
	qsort(m->paths, m->npaths, sizeof(*m->paths), by_code);
	for (size_t i = 0; i < m->npaths; i++) {
		if (n && !compare(&m->paths[n - 1], &m->paths[i])) {
			m->paths[n - 1].ns += m->paths[i].ns;
			m->paths[n - 1].count += m->paths[i].count;
		} else {
			m->paths[n++] = m->paths[i];
		}
	}
	m->npaths = n;
}

/* ---- where half of it is ---- */

static bool same_start(const struct path *a, const struct path *b, size_t n)
{
	return a->n >= n && b->n >= n && !memcmp(a->words, b->words, n * sizeof(*a->words));
}

/*
 * Of *n sorted paths, which have `depth` words in common: those that have one more in common and
 * the most time. They are *first and *n then, the result their sum; without time there are none.
 */
static struct path heaviest(const struct path **first, size_t *n, size_t depth)
{
	const struct path *all = *first;
	struct path best = { 0 };
	size_t of = *n;

	for (size_t i = 0, end; i < of; i = end) {
		struct path sum = all[i];

		for (end = i + 1; end < of && same_start(&all[i], &all[end], depth + 1); end++) {
			sum.ns += all[end].ns;
			sum.count += all[end].count;
		}
		if (all[i].n <= depth || sum.ns <= best.ns)
			continue;
		best = sum;
		best.n = depth + 1;
		*first = &all[i];
		*n = end - i;
	}
	return best;
}

/* Of n paths of one process name and state; all_ns: of the state, of all processes. */
static struct path hottest(const struct path *first, size_t n, uint64_t all_ns)
{
	struct path hot = { 0 }, next;

	for (size_t depth = 0;; depth++) {
		next = heaviest(&first, &n, depth);
		if (!next.ns || next.ns < all_ns / 2)
			return hot;
		hot = next;
	}
}

/* ---- into the report ---- */

static struct code_path keep(struct report *r, const struct maker *m, const struct path *p)
{
	struct code_path to = {
		.comm = p->row->comm ? p->row->comm : "",
		.state = p->row->state < LEDGER_STATES ? p->row->state : STATE_OTHER,
		.ns = p->ns,
		.count = p->count,
		.n = p->n,
	};
	const char **words = report_alloc(r, (p->n + 1) * sizeof(*words));

	for (size_t i = 0; m->numbered && i < p->n; i++) {
		const struct code_word *w = &m->numbered[p->words[i]]->word;

		words[i] = report_printf(r, w->file ? "[%.*s]" : "%.*s", (int)w->len, w->text);
	}
	to.words = words;
	return to;
}

static void keep_hot(struct report *r, const struct maker *m)
{
	uint64_t all[LEDGER_STATES] = { 0 };

	for (size_t i = 0; i < r->stacks.nrows; i++)
		if (r->stacks.rows[i].state < LEDGER_STATES)
			all[r->stacks.rows[i].state] += r->stacks.rows[i].ns;
	for (size_t i = 0, end; i < m->npaths; i = end) {
		const struct stack_row *row = m->paths[i].row;
		struct path hot;

		for (end = i + 1; end < m->npaths && m->paths[end].row->state == row->state &&
				  !strcmp(m->paths[end].row->comm ? m->paths[end].row->comm : "",
					  row->comm ? row->comm : "");)
			end++;
		if (row->state >= LEDGER_STATES)
			continue;
		hot = hottest(&m->paths[i], end - i, all[row->state]);
		if (hot.n && hot.ns > r->stacks.hot[row->state].ns)
			r->stacks.hot[row->state] = keep(r, m, &hot);
	}
}

static void maker_free(struct maker *m)
{
	struct word *w, *next;

	for (int i = 0; i < 2; i++)
		HASH_ITER(hh, m->words[i], w, next) {
			HASH_DEL(m->words[i], w);
			free(w);
		}
	free(m->numbered);
	free(m->pool);
	free(m->paths);
}

void code_paths_make(struct report *r)
{
	struct stacks_report *s = &r->stacks;
	struct maker m = { 0 };
	struct code_path *paths;

	if (!s->nrows)
		return;
	find_paths(&m, s);
	keep_hot(r, &m);
	qsort(m.paths, m.npaths, sizeof(*m.paths), by_time);
	s->npaths_all = m.npaths;
	s->npaths = m.npaths < PATHS ? m.npaths : PATHS;
	paths = report_alloc(r, (s->npaths + 1) * sizeof(*paths));
	for (size_t i = 0; i < s->npaths; i++)
		paths[i] = keep(r, &m, &m.paths[i]);
	s->paths = paths;
	maker_free(&m);
}
