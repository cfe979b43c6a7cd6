/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up stacks: a small server, odd names, none, deep ones, huge figures, very many. */
#include "stack_reports.h"

#include <string.h>

#include "ledger.h"

#define MS 1000000ULL
#define S (1000 * MS)
#define FRAMES(...)                                                                                \
	(const struct stack_frame *const[])                                                        \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define ROW(proc_, pid_, thread_id_, tid_, comm_, thread_, state_, ns_, count_, n_, ...)           \
	{                                                                                          \
		proc_, pid_, thread_id_, tid_, comm_, thread_, state_, ns_, count_, n_,            \
			FRAMES(__VA_ARGS__)                                                        \
	}

static void fill(struct report *r, struct stack_row *rows, size_t n)
{
	struct stacks_report *s = &r->stacks;

	r->bpf = r->final = true;
	r->wall_ns = 10 * S;
	r->start_ns = S;
	r->now_ns = 11 * S;
	r->target = "./server --odd='<&\">'";
	s->present = true;
	s->quantum_ns = MS;
	s->frequency = 99;
	s->rows = rows;
	s->nrows = n;
	r->ledger.present = true;
	for (size_t i = 0; i < n; i++) {
		s->samples += rows[i].count;
		if (!rows[i].count)
			s->not_sampled_ns += rows[i].ns;
		r->ledger.tree.lifetime_ns += rows[i].ns;
		if (rows[i].state < LEDGER_STATES)
			r->ledger.tree.states[rows[i].state].ns += rows[i].ns;
	}
}

/* --- a small server: all kinds of frames --- */

#define BUILD "1f2e3d4c5b6a79880123456789abcdef01234567"

/* clang-format off */
static const struct stack_frame
	start = { "_start", "server", NULL, BUILD, 0, STACK_FRAME_USER, 0x1020 },
	main_frame = { "main", "server", "src/server.c", BUILD, 120, STACK_FRAME_USER, 0x1140 },
	main_again = { "main", "server", "src/server.c", BUILD, 133, STACK_FRAME_USER, 0x1199 },
	query = { "do_query", "server", "src/query.c", BUILD, 40, STACK_FRAME_USER, 0x2040 },
	parse = { "parse", "server", "src/query.h", BUILD, 7, STACK_FRAME_INLINED, 0x2040 },
	pread = { "pread64", "libc.so.6", NULL, "aa00", 0, STACK_FRAME_USER, 0xf1000 },
	futex = { "pthread_cond_wait", "libc.so.6", NULL, "aa00", 0, STACK_FRAME_USER, 0x8b000 },
	thread = { "start_thread", "libc.so.6", NULL, "aa00", 0, STACK_FRAME_USER, 0x89000 },
	worker = { "worker", "server", "src/server.c", BUILD, 80, STACK_FRAME_USER, 0x1500 },
	hot = { "std::map<int, std::string>::operator[](int const&)", "server", NULL, BUILD, 0,
		STACK_FRAME_USER, 0x3000 },
	jit = { "lambda handler (app.js:12)", NULL, NULL, NULL, 0, STACK_FRAME_JIT, 0x7f0000001000 },
	python = { "handle", "app.py", "/srv/app.py", NULL, 31, STACK_FRAME_PYTHON, 0 },
	kread = { "vfs_read", "[kernel]", NULL, NULL, 0, STACK_FRAME_KERNEL, 0xffffffff81300000 },
	kio = { "io_schedule", "[kernel]", NULL, NULL, 0, STACK_FRAME_KERNEL, 0xffffffff81f00000 },
	kfutex = { "futex_wait_queue", "[kernel]", NULL, NULL, 0, STACK_FRAME_KERNEL,
		   0xffffffff81180000 },
	wake = { "notify", "server", "src/server.c", BUILD, 60, STACK_FRAME_WAKER, 0x1300 },
	unnamed = { "server+0x4f00", "server", NULL, BUILD, 0, STACK_FRAME_USER, 0x4f00 },
	cut = { "[truncated: no table for this file]", NULL, NULL, NULL, 0, STACK_FRAME_MARK, 0 },
	none = { "[not sampled]", NULL, NULL, NULL, 0, STACK_FRAME_MARK, 0 };

static struct stack_row server_rows[] = {
	ROW(1, 100, 1, 100, "server", "server", STATE_DISK, 1234567890, 1204, 6,
	    &kio, &kread, &pread, &query, &main_frame, &start),
	ROW(1, 100, 1, 100, "server", "server", STATE_ON_CPU, 800 * MS, 79, 4,
	    &parse, &query, &main_again, &start),
	ROW(1, 100, 1, 100, "server", "server", STATE_ON_CPU, 200 * MS + 7, 20, 4,
	    &parse, &query, &main_frame, &start),
	ROW(1, 100, 1, 100, "server", "server", STATE_RUNQUEUE, 3 * MS, 0, 1, &none),
	ROW(1, 100, 2, 101, "server", "worker-1", STATE_FUTEX, 7 * S, 6995, 5,
	    &wake, &kfutex, &futex, &worker, &thread),
	ROW(1, 100, 3, 102, "server", "worker-2", STATE_FUTEX, 6 * S, 5995, 5,
	    &wake, &kfutex, &futex, &worker, &thread),
	ROW(1, 100, 3, 102, "server", "worker-2", STATE_ON_CPU, 40 * MS, 4, 3,
	    &hot, &worker, &thread),
	ROW(1, 100, 0, 0, "server", "worker", STATE_ON_CPU, 11 * MS, 1, 2, &unnamed, &cut),
	ROW(2, 140, 4, 140, "python3", "python3", STATE_POLL, 2 * S, 1999, 2, &python, &start),
	ROW(2, 140, 4, 140, "python3", "python3", STATE_ON_CPU, 90 * MS, 9, 3,
	    &jit, &python, &start),
};
/* clang-format on */

static void fill_server(struct report *r)
{
	fill(r, server_rows, sizeof(server_rows) / sizeof(server_rows[0]));
	r->stacks.truncated = 1;
}

/* --- names that would break a format; figures that are too big for one --- */

/* clang-format off */
static const struct stack_frame
	semicolon = { "a;b c 12", "lib;x.so", "a b;c.c", NULL, 1, STACK_FRAME_USER, 1 },
	newline = { "two\nlines\r\t", "m\no", NULL, NULL, 0, STACK_FRAME_JIT, 2 },
	markup = { "</script><script>alert(1)//]]><!--&amp;\"'", "<&>\"'", "<&>", NULL, 3,
		   STACK_FRAME_USER, 3 },
	bytes = { "\xff\xfe bad \xed\xa0\x80 utf-8 \xc3", NULL, NULL, NULL, 0, STACK_FRAME_USER, 4 },
	wide = { "\xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x94\xa5 \xef\xbf\xbf", NULL, NULL, NULL, 0,
		 STACK_FRAME_PYTHON, 5 },
	control = { "\033]0;owned\007", NULL, NULL, NULL, 0, STACK_FRAME_USER, 6 },
	backslash = { "App\\Job\\x3b", NULL, NULL, NULL, 0, STACK_FRAME_JIT, 7 },
	nothing = { "", NULL, NULL, NULL, 0, STACK_FRAME_USER, 8 };

static struct stack_row odd_rows[] = {
	ROW(1, 1, 1, 1, "\033[2J;x", "a\nb", STATE_FUTEX, 5, 1, 3, &semicolon, &newline, &markup),
	ROW(1, 1, 1, 1, "\033[2J;x", "a\nb", STATE_ON_CPU, 7, 1, 3, &bytes, &wide, &control),
	ROW(1, 1, 1, 1, "", "", STATE_ON_CPU, 11, 1, 2, &backslash, &nothing),
	{ 1, 1, 1, 1, NULL, NULL, STATE_OTHER, 13, 0, 0, NULL },
	{ 1, 1, 1, 1, "none", "none", STATE_SLEEP, 0, 1, 0, NULL },
	{ 2, 2, 2, 2, "future", "future", 999, 17, 1, 0, NULL },
};

static struct stack_row huge_rows[] = {
	ROW(1, 4294967295, 1, 4294967295, "old", "old", STATE_SLEEP, 1ULL << 62, 1ULL << 63, 1,
	    &main_frame),
	ROW(1, 4294967295, 1, 4294967295, "old", "old", STATE_POLL, 1ULL << 62, UINT64_MAX, 1,
	    &main_frame),
};
/* clang-format on */

static void fill_odd(struct report *r)
{
	fill(r, odd_rows, sizeof(odd_rows) / sizeof(odd_rows[0]));
}

static void fill_huge(struct report *r)
{
	fill(r, huge_rows, sizeof(huge_rows) / sizeof(huge_rows[0]));
}

static void fill_empty(struct report *r)
{
	fill(r, NULL, 0);
}

/* --- generated ones --- */

static const struct stack_frame *named(struct report *r, size_t i)
{
	struct stack_frame *f = report_alloc(r, sizeof(*f));

	f->name = report_printf(r, "function_number_%zu", i);
	f->module = i % 3 ? "libmany.so.1" : "program";
	f->address = 0x1000 + 16 * i;
	f->kind = i % 7 ? STACK_FRAME_USER : STACK_FRAME_KERNEL;
	return f;
}

/* Recursion to the limit and beyond, with a tail that differs. */
static void fill_deep(struct report *r)
{
	enum { DEPTH = 300, ROWS = 20 };
	struct stack_row *rows = report_alloc(r, ROWS * sizeof(*rows));
	const struct stack_frame **body = report_alloc(r, DEPTH * sizeof(*body));

	for (size_t i = 0; i < DEPTH; i++)
		body[i] = named(r, i % 5);
	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = (struct stack_row){ .proc_id = 1, .pid = 7, .thread_id = 1, .tid = 7 };
		rows[i].comm = rows[i].thread = "recurse";
		rows[i].state = (uint32_t)(i % LEDGER_STATES);
		rows[i].ns = MS + i;
		rows[i].count = 1;
		rows[i].nframes = DEPTH - i;
		rows[i].frames = body + i;
	}
	fill(r, rows, ROWS);
}

/* 20,000 distinct frames in 4,000 stacks of 1,000 threads, from much to little time. */
static void fill_many(struct report *r)
{
	enum { ROWS = 4000, EACH = 5, SHARED = 8 };
	struct stack_row *rows = report_alloc(r, ROWS * sizeof(*rows));
	const struct stack_frame *shared[SHARED];

	for (size_t i = 0; i < SHARED; i++)
		shared[i] = named(r, 100000 + i);
	for (size_t i = 0; i < ROWS; i++) {
		const struct stack_frame **body = report_alloc(r, 2 * EACH * sizeof(*body));
		struct stack_row *row = &rows[i];
		size_t n = 0;

		for (; n < EACH; n++)
			body[n] = named(r, i * EACH + n);
		for (size_t k = i; n < EACH + 3; n++, k /= 2)
			body[n] = shared[(k + n) % SHARED];
		row->proc_id = (uint32_t)(i / 16 + 1);
		row->pid = 1000 + row->proc_id;
		row->thread_id = (uint32_t)(i / 4 + 1);
		row->tid = 5000 + row->thread_id;
		row->comm = i % 32 < 16 ? "cc1plus" : "make";
		row->thread = i % 4 ? row->comm : "pool";
		row->state = (uint32_t)(i * i % LEDGER_STATES);
		row->ns = S / (i + 1) + 1;
		row->count = 1;
		row->nframes = n;
		row->frames = body;
	}
	fill(r, rows, ROWS);
}

const struct stack_case stack_cases[] = {
	{ "server", fill_server },
	{ "odd", fill_odd },
	{ "huge", fill_huge },
	{ "empty", fill_empty },
	{ "deep", fill_deep },
	{ "many", fill_many },
	{},
};
