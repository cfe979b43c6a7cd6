/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From counts to the report's rows. A call is one row whatever convention it came by: the
 * i386 openat and the native one are the same call. See table.h.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* A tally's row on its way into a table. */
struct named {
	const char *name;
	uint64_t key;
	uint64_t n;
	uint32_t row; /* of the table */
};

static const char *label_of(struct report *r, uint64_t key)
{
	uint32_t nr = key_nr(key);
	char buf[CALL_LABEL_LEN];
	const char *label;

	if (key_abi(key) == ABI_UNKNOWN || (key_abi(key) == ABI_URING && nr == UINT32_MAX))
		return "other";
	label = key_abi(key) == ABI_URING ? uring_label(nr, buf)
					  : syscall_label(key_abi(key), nr, buf);
	return label == buf ? report_printf(r, "%s", buf) : label;
}

static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->key < y->key ? -1 : x->key > y->key;
}

static int by_key(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int by_count(const void *a, const void *b)
{
	const struct call_row *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

static int by_error_count(const void *a, const void *b)
{
	const struct errno_count *x = a, *y = b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : x->err - y->err;
}

/* The calls (uring: the operations) of a tally, by name; returns their number. */
static size_t name_calls(struct report *r, const struct tally *t, bool uring, struct named *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t->n && !key_err(t->rows[i].key); i++) {
		const struct tally_row *row = &t->rows[i];

		if (row->n && (key_abi(row->key) == ABI_URING) == uring)
			out[n++] = (struct named){ label_of(r, row->key), row->key, row->n, 0 };
	}
	qsort(out, n, sizeof(*out), by_name);
	return n;
}

/* One row a name; each named remembers its row. Returns the number of rows. */
static size_t join_names(struct named *named, size_t n, struct call_row *rows)
{
	size_t nrows = 0;

	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(named[i].name, named[i - 1].name)) {
			rows[nrows++] = (struct call_row){
				.name = named[i].name,
				.nr = key_abi(named[i].key) == ABI_NATIVE
					      ? (int)key_nr(named[i].key)
					      : -1,
			};
		}
		rows[nrows - 1].count += named[i].n;
		named[i].row = (uint32_t)(nrows - 1);
	}
	return nrows;
}

static void add_error(struct call_row *row, int err, uint64_t n)
{
	size_t i = 0;

	while (i < row->nerrors && row->errors[i].err != err)
		i++;
	if (i == row->nerrors)
		row->errors[row->nerrors++].err = err;
	row->errors[i].count += n;
}

/* Passes over the errors: first how many a row needs, then with `fill` into its array. */
static void each_error(const struct tally *t, const struct named *named, size_t n,
		       struct call_row *rows, bool fill)
{
	for (uint32_t i = 0; i < t->n; i++) {
		uint64_t key = t->rows[i].key;
		struct named base = { .key = tally_key(key_abi(key), key_nr(key), 0) };
		const struct named *call;

		if (!key_err(key) || !t->rows[i].n)
			continue;
		call = bsearch(&base, named, n, sizeof(*named), by_key);
		if (!call)
			continue;
		if (fill)
			add_error(&rows[call->row],
				  key_err(key) == ERR_UNKNOWN ? 0 : (int)key_err(key),
				  t->rows[i].n);
		else
			rows[call->row].nerrors++;
	}
}

static void fill_errors(struct report *r, const struct tally *t, struct named *named, size_t n,
			struct call_row *rows, size_t nrows)
{
	qsort(named, n, sizeof(*named), by_key);
	each_error(t, named, n, rows, false);
	for (size_t i = 0; i < nrows; i++) {
		if (!rows[i].nerrors)
			continue;
		rows[i].errors = report_alloc(r, rows[i].nerrors * sizeof(*rows[i].errors));
		rows[i].nerrors = 0;
	}
	each_error(t, named, n, rows, true);
	for (size_t i = 0; i < nrows; i++) {
		if (rows[i].nerrors)
			qsort(rows[i].errors, rows[i].nerrors, sizeof(*rows[i].errors),
			      by_error_count);
	}
}

static void fill_classes(struct report *r, struct syscall_table *table)
{
	table->nclasses = SYSCALL_CLASSES;
	table->classes = report_alloc(r, SYSCALL_CLASSES * sizeof(*table->classes));
	for (int i = 0; i < SYSCALL_CLASSES; i++)
		table->classes[i].name = syscall_class_name(i);
	for (size_t i = 0; i < table->ncalls; i++) {
		enum syscall_class class = syscall_class(table->calls[i].name);

		table->calls[i].class_name = syscall_class_name(class);
		table->classes[class].count += table->calls[i].count;
		table->total += table->calls[i].count;
	}
}

static struct named *named_alloc(const struct tally *t)
{
	struct named *named = calloc(t->n + 1, sizeof(*named));

	if (!named)
		abort();
	return named;
}

void table_fill(struct report *r, struct syscall_table *table, const struct tally *t)
{
	struct named *named = named_alloc(t);
	size_t n = name_calls(r, t, false, named);

	*table = (struct syscall_table){ 0 };
	table->calls = report_alloc(r, (n + 1) * sizeof(*table->calls));
	table->ncalls = join_names(named, n, table->calls);
	fill_errors(r, t, named, n, table->calls, table->ncalls);
	free(named);
	qsort(table->calls, table->ncalls, sizeof(*table->calls), by_count);
	fill_classes(r, table);
}

void table_fill_uring(struct report *r, const struct tally *t)
{
	struct named *named = named_alloc(t);
	size_t n = name_calls(r, t, true, named);
	struct syscall_report *s = &r->syscalls;

	s->uring = report_alloc(r, (n + 1) * sizeof(*s->uring));
	s->nuring = join_names(named, n, s->uring);
	free(named);
	qsort(s->uring, s->nuring, sizeof(*s->uring), by_count);
	s->io_uring_ops = 0;
	for (size_t i = 0; i < s->nuring; i++)
		s->io_uring_ops += s->uring[i].count;
}
