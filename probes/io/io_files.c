/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of files. The kernel side tells paths apart by directory and name (struct io_path_key), and
 * may take one for two, see there: here those of one path are one row.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "io_fill.h"
#include "object_name.h"
#include "session.h"

#define FILES_KEPT 32 /* rows of the report; the rest goes into `other` */

struct path_sum {
	struct io_file sum;
	uint64_t path;  /* hash; of a file without a name its row */
	uint32_t first; /* row; it has the name and who used it first */
	uint64_t inodes;
};

/* ---- paths ---- */

static bool path_of(const struct io_maps *m, uint32_t row, char *path, size_t size, bool *cut)
{
	struct object_name name;

	if (bpf_map_lookup_elem(m->names_fd, &row, &name))
		return false;
	object_path(&name, path, size);
	*cut = name.cut;
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * 0x100000001b3;
}

/*
 * FNV-1a, of what must be the same for two rows to be one: of the directory too, as a path begins
 * at the root of who used it. 0: it has no name, or not yet, or one that is not whole.
 */
static uint64_t hash_path(const struct io_maps *m, uint32_t row)
{
	const struct io_file *f = &m->files[row];
	char path[OBJECT_NAME_LEN + 64];
	uint64_t hash = 0xcbf29ce484222325;
	bool cut;

	if (!path_of(m, row, path, sizeof(path), &cut) || cut || strstr(path, "\u2026"))
		return 0;
	for (const char *c = path; *c; c++)
		hash = mix(hash, (unsigned char)*c);
	return mix(mix(mix(hash, f->dir), f->key.dev), f->kind);
}

/* A row keeps its path, so it is asked for once. */
static uint64_t path_hash(const struct io_maps *m, uint32_t row)
{
	struct io_paths *p = m->paths;

	if (row >= p->room) {
		size_t room = row + 256;

		p->hash = reallocarray(p->hash, room, sizeof(*p->hash));
		if (!p->hash)
			abort();
		memset(p->hash + p->room, 0, (room - p->room) * sizeof(*p->hash));
		p->room = room;
	}
	if (!p->hash[row])
		p->hash[row] = hash_path(m, row);
	return p->hash[row] ?: row;
}

void io_paths_free(struct io_paths *p)
{
	free(p->hash);
}

/* ---- sums by path ---- */

static void add(struct io_file *to, const struct io_file *f)
{
	to->opens += f->opens;
	to->syncs += f->syncs;
	to->seeks += f->seeks;
	to->errors += f->errors;
	to->sync_ns += f->sync_ns;
	for (int way = 0; way < 2; way++) {
		to->moved[way].calls += f->moved[way].calls;
		to->moved[way].bytes += f->moved[way].bytes;
		to->moved[way].ns += f->moved[way].ns;
	}
}

static int by_path(const void *a, const void *b)
{
	const struct path_sum *x = a, *y = b;

	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static uint64_t bytes_of(const struct io_file *f)
{
	return f->moved[IO_READ].bytes + f->moved[IO_WRITE].bytes;
}

static uint64_t calls_of(const struct io_file *f)
{
	return f->moved[IO_READ].calls + f->moved[IO_WRITE].calls + f->opens + f->syncs + f->seeks;
}

static int by_bytes(const void *a, const void *b)
{
	const struct path_sum *x = a, *y = b;
	uint64_t m = bytes_of(&x->sum), n = bytes_of(&y->sum);

	if (m == n) {
		m = calls_of(&x->sum);
		n = calls_of(&y->sum);
	}
	return m < n ? 1 : m > n ? -1 : 0;
}

/* `seen`: files told apart. */
static struct path_sum *sum_paths(const struct io_maps *m, uint64_t used, size_t *n, uint64_t *seen)
{
	size_t rows = used < m->nfiles - 1 ? used : m->nfiles - 1, kept = 0;
	struct path_sum *sums = calloc(rows + 1, sizeof(*sums));

	if (!sums)
		abort();
	map_window_reach(m->files_map, (rows + 1) * sizeof(*m->files));
	*n = *seen = 0;
	for (uint32_t row = 1; row <= rows; row++) {
		const struct io_file *f = &m->files[row];

		/* a row that another CPU was quicker to give the same path stays empty */
		if (!f->key.ino && !f->opens)
			continue;
		sums[(*n)++] = (struct path_sum){
			.sum = *f, .path = path_hash(m, row), .first = row, .inodes = f->inodes
		};
		*seen += f->inodes;
	}
	qsort(sums, *n, sizeof(*sums), by_path);
	for (size_t i = 1; i < *n; i++) {
		if (sums[i].path == sums[kept].path) {
			add(&sums[kept].sum, &sums[i].sum);
			sums[kept].inodes += sums[i].inodes;
		} else {
			sums[++kept] = sums[i];
		}
	}
	*n = *n ? kept + 1 : 0;
	qsort(sums, *n, sizeof(*sums), by_bytes);
	return sums;
}

/* ---- rows ---- */

static const char *file_label(struct report *r, const struct io_maps *m, const struct path_sum *f)
{
	char path[OBJECT_NAME_LEN + 64];
	bool cut;

	if (!path_of(m, f->first, path, sizeof(path), &cut))
		return report_printf(r, "file:[%llu] dev %u:%u", f->sum.key.ino,
				     f->sum.key.dev >> 20, f->sum.key.dev & 0xfffff);
	return report_printf(r, "%s%s", cut ? "..." : "", *path ? path : "/");
}

static void add_file(struct io_file_row *row, const struct io_file *f, uint64_t inodes)
{
	row->inodes += inodes;
	row->opens += f->opens;
	row->reads += f->moved[IO_READ].calls;
	row->read_bytes += f->moved[IO_READ].bytes;
	row->writes += f->moved[IO_WRITE].calls;
	row->written_bytes += f->moved[IO_WRITE].bytes;
	row->syncs += f->syncs;
	row->sync_ns += f->sync_ns;
	row->seeks += f->seeks;
	row->errors += f->errors;
	row->ns += f->moved[IO_READ].ns + f->moved[IO_WRITE].ns + f->sync_ns;
	row->timed = row->ns;
}

static struct io_file_row row_of(struct probe *p, const struct io_maps *m, struct report *r,
				 const struct path_sum *f)
{
	const struct process *by = tree_find(&p->session->tree, f->sum.proc_id);
	struct io_file_row row = {
		.name = file_label(r, m, f),
		.kind = f->sum.kind < IO_KINDS ? io_kind_names[f->sum.kind] : "other",
	};

	if (by) {
		row.pid = by->pid;
		memcpy(row.comm, by->comm, sizeof(row.comm));
	}
	add_file(&row, &f->sum, f->inodes);
	return row;
}

/* More time of syncs; as many have none where they are not timed, then more of them. */
static bool synced_more(const struct io_file *f, const struct io_file *than)
{
	if (!f->syncs || !than)
		return f->syncs;
	return f->sync_ns == than->sync_ns ? f->syncs > than->syncs : f->sync_ns > than->sync_ns;
}

static void fill_synced(struct probe *p, const struct io_maps *m, struct report *r,
			const struct path_sum *sums, size_t n)
{
	const struct path_sum *most = NULL;

	for (size_t i = 0; i < n; i++)
		if (synced_more(&sums[i].sum, most ? &most->sum : NULL))
			most = &sums[i];
	r->io.synced = most ? row_of(p, m, r, most) : (struct io_file_row){ 0 };
}

void io_fill_files(struct probe *p, const struct io_maps *m, struct report *r)
{
	struct io_report *io = &r->io;
	struct io_file_row *other;
	struct path_sum *sums;
	size_t n;

	sums = sum_paths(m, p->session->counters[COUNTER_NEXT_IO_FILE], &n, &io->files_seen);
	fill_synced(p, m, r, sums, n);
	io->nfiles = n < FILES_KEPT ? n : FILES_KEPT;
	io->files = report_alloc(r, (io->nfiles + 1) * sizeof(*io->files));
	for (size_t i = 0; i < io->nfiles; i++)
		io->files[i] = row_of(p, m, r, &sums[i]);
	other = &io->files[io->nfiles];
	*other = (struct io_file_row){ .name = "other", .kind = "other" };
	add_file(other, &m->files[0], 0);
	for (size_t i = io->nfiles; i < n; i++)
		add_file(other, &sums[i].sum, sums[i].inodes);
	if (other->opens || other->reads || other->writes || other->syncs || other->seeks)
		io->nfiles++;
	free(sums);
}
