/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The io probe: descriptor and reader. The kernel side is io.bpf.c; it counts into slots by
 * process and into mapped tables by file and device, so that a report is read from memory.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "io_fill.h"
#include "io_shape.h"
#include "io_text.h"
#include "kernel_btf.h"
#include "map_window.h"
#include "session.h"

#define FILES 8192 /* --limit io_files=N */
#define DEVICES 64

/* clang-format off: a line a part */
#define PARTS                                                                                      \
	"io_add", "io_dirty", "io_fault_own", "io_fault_around", "io_fault_own_fentry",            \
		"io_fault_around_fentry", "io_getrq", "io_backmerge", "io_frontmerge",             \
		"io_rq_merge", "io_bio_queue", "io_bio_complete", "io_uring_done",                 \
		"io_fsync_enter", "io_fdatasync_enter"
/* clang-format on */

/* What every source must have: the way of a request. */
#define REQUESTS "io_issue", "io_complete"

static const struct source io_sources[] = {
	{ "tp_btf", { REQUESTS }, { PARTS }, false },
	{ "raw_tp", { REQUESTS }, { PARTS }, true },
	{ 0 },
};

/* The last members of a row, from max_ns on. */
#define MAXIMA ((sizeof(struct io_slot) - offsetof(struct io_slot, max_ns)) / sizeof(uint64_t))
#define MAXIMUM(i) offsetof(struct io_slot, max_ns) + 8 * (i)
static const uint16_t io_maxima[] = {
	MAXIMUM(0),  MAXIMUM(1),  MAXIMUM(2),  MAXIMUM(3),  MAXIMUM(4),  MAXIMUM(5),
	MAXIMUM(6),  MAXIMUM(7),  MAXIMUM(8),  MAXIMUM(9),  MAXIMUM(10), MAXIMUM(11),
	MAXIMUM(12), MAXIMUM(13), MAXIMUM(14), MAXIMUM(15), MAXIMUM(16), MAXIMUM(17),
};
_Static_assert(sizeof(io_maxima) / sizeof(io_maxima[0]) == MAXIMA, "maxima without a line");

struct io_data {
	struct map_window files, devices, state; /* files: mapped as far as they are used */
	struct io_maps maps;
	struct io_paths paths;
	bool has_faults;
};

/* ---- before the load ---- */

static int size_map(struct bpf_object *obj, const char *name, uint32_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map ? bpf_map__set_max_entries(map, entries) : -ENOENT;
}

/* Functions are hooked for faults only where the tracepoints are missing. */
static void choose_fault_hooks(struct bpf_object *obj)
{
	static const char *const drop[2][2] = { { "io_fault_own", "io_fault_around" },
						{ "io_fault_own_fentry",
						  "io_fault_around_fentry" } };
	bool has = kernel_btf_tracepoint("mm_filemap_fault") &&
		   kernel_btf_tracepoint("mm_filemap_map_pages");

	for (int i = 0; i < 2; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, drop[has][i]);

		if (prog)
			bpf_program__set_autoload(prog, false);
	}
}

static int io_configure(struct probe *p, struct bpf_object *obj)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata.io");
	struct io_cfg cfg = { 1 + probe_limit(p, "io_files", FILES), 1 + DEVICES };
	int err = map ? bpf_map__set_initial_value(map, &cfg, sizeof(cfg)) : -ENOENT;

	if (!err)
		err = size_map(obj, "io_files", cfg.files);
	if (!err)
		err = size_map(obj, "io_path_rows", cfg.files);
	if (!err)
		err = size_map(obj, "io_file_names", cfg.files);
	if (!err)
		err = size_map(obj, "io_devices", cfg.devices);
	if (!err)
		err = size_map(obj, "io_device_rows", cfg.devices);
	if (err)
		return err_set(err, "cannot configure io");
	choose_fault_hooks(obj);
	return 0;
}

/* ---- after the attach ---- */

static int map_table(struct probe *p, const char *name, struct map_window *w)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = probe_map_fd(p, name), err;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(-ENOENT, "cannot find map '%s'", name);
	err = map_window_open(w, fd, (size_t)info.value_size * info.max_entries);
	return err ? err_set(err, "cannot map '%s'", name) : 0;
}

static int io_start(struct probe *p)
{
	struct io_data *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return err_set(-ENOMEM, "no memory");
	p->data = d;
	err = map_table(p, "io_files", &d->files);
	if (!err)
		err = map_table(p, "io_devices", &d->devices);
	if (!err)
		err = map_table(p, "io_state", &d->state);
	if (err)
		return err;
	map_window_reach(&d->devices, d->devices.bytes);
	map_window_reach(&d->state, d->state.bytes);
	d->maps = (struct io_maps){
		.files_map = &d->files,
		.files = (void *)d->files.at,
		.nfiles = 1 + probe_limit(p, "io_files", FILES),
		.devices = (void *)d->devices.at,
		.ndevices = 1 + DEVICES,
		.state = (void *)d->state.at,
		.paths = &d->paths,
		.names_fd = probe_map_fd(p, "io_file_names"),
	};
	d->has_faults =
		(probe_attached(p, "io_fault_own") && probe_attached(p, "io_fault_around")) ||
		(probe_attached(p, "io_fault_own_fentry") &&
		 probe_attached(p, "io_fault_around_fentry"));
	return 0;
}

static void io_free(struct probe *p)
{
	struct io_data *d = p->data;

	if (!d)
		return;
	map_window_close(&d->files);
	map_window_close(&d->devices);
	map_window_close(&d->state);
	io_paths_free(&d->paths);
	free(d);
	p->data = NULL;
}

/* ---- the report ---- */

/* What is missing from the report when a program did not attach. */
static const struct absent_need needs[] = {
	{ "cache.hits, cache.misses, cache.added", "io_add",
	  "no tracepoint mm_filemap_add_to_page_cache" },
	{ "cache.dirtied", "io_dirty", "no tracepoint writeback_dirty_folio" },
	{ "block", "io_getrq", "no tracepoint block_getrq" },
	{ "block.merges", "io_backmerge", "no tracepoint block_bio_backmerge" },
	{ "bios", "io_bio_queue", "no tracepoint block_bio_queue" },
	{ "io_uring's reads and writes", "io_uring_done", "no tracepoint io_uring_complete" },
	{ "times of fsync without --io-latency", "io_fsync_enter",
	  "no tracepoint sys_enter_fsync" },
	{ "times of fdatasync without --io-latency", "io_fdatasync_enter",
	  "no tracepoint sys_enter_fdatasync" },
	{ 0 },
};

static void fill_absent(struct probe *p, struct report *r)
{
	const struct io_data *d = p->data;
	struct absent_list *list = &r->io.absent;

	absent_add(r, list, "closes by kind of file and by file",
		   "when the call has returned its descriptor names nothing any more");
	absent_add(r, list, "times of what io_uring and Linux AIO do",
		   "their operations are counted as they end; block has the time on the device");
	if (r->io.tree.aio_unseen)
		absent_add(r, list,
			   report_printf(r, "%llu operations of Linux AIO",
					 (unsigned long long)r->io.tree.aio_unseen),
			   "submitted, but not taken by io_getevents: not done yet, or the program "
			   "took them from the ring in its own memory");
	absent_needs(r, list, p, needs);
	if (!d->has_faults)
		absent_add(r, list, "cache.faults",
			   "no tracepoints mm_filemap_fault and mm_filemap_map_pages, and the "
			   "functions cannot be hooked");
	if (!p->session->options->io_latency && !p->session->options->syscall_latency)
		absent_add(r, list, "times of calls but fsync and fdatasync",
			   "--io-latency gives them");
}

/* Only the last report shows processes: figures of each at every tick would be for nobody. */
static void fill_processes(struct probe *p, struct report *r)
{
	const struct io_data *d = p->data;
	struct io_report *io = &r->io;

	if (!r->final || !r->ledger.nprocesses)
		return;
	io->processes = report_alloc(r, r->ledger.nprocesses * sizeof(*io->processes));
	for (size_t i = 0; i < r->ledger.nprocesses; i++) {
		const struct process_row *from = &r->ledger.processes[i];
		struct io_process_row *row = &io->processes[io->nprocesses];
		const struct io_slot *slot = slots_process(p, from->proc_id);

		if (!slot)
			continue;
		io->nprocesses++;
		row->pid = from->pid;
		row->proc_id = from->proc_id;
		memcpy(row->comm, from->comm, sizeof(row->comm));
		for (size_t k = 0; k < sizeof(*slot) / sizeof(uint64_t) && !row->any; k++)
			row->any = ((const uint64_t *)slot)[k];
		io_fill_figures(&row->figures, slot, usage_process(p->session, from->proc_id),
				d->has_faults);
	}
}

static int io_snapshot(struct probe *p, struct report *r)
{
	struct io_data *d = p->data;
	const struct io_slot *tree = slots_tree(p);

	if (!tree)
		return 0;
	r->io.present = true;
	io_fill_figures(&r->io.tree, tree, usage_tree(p->session), d->has_faults);
	io_fill_times(p, r);
	io_fill_files(p, &d->maps, r);
	io_fill_devices(&d->maps, r);
	fill_processes(p, r);
	fill_absent(p, r);
	return 0;
}

static bool io_reported(const struct report *r)
{
	return r->io.present;
}

const struct probe_class io_probe = {
	.name = "io",
	.summary = "reads, writes and syncs by file; page cache; requests to block devices",
	.shape = io_shape,
	.tick_shape = io_tick_shape,
	.reported = io_reported,
	.sources = io_sources,
	.slots = { "io_slots", sizeof(struct io_slot), io_maxima, MAXIMA },
	.hists = { "io_hists", IO_HISTS },
	.configure = io_configure,
	.start = io_start,
	.snapshot = io_snapshot,
	.text = io_text,
	.free = io_free,
};
