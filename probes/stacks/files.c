/* SPDX-License-Identifier: BSD-2-Clause */
/* See files.h. The kernel side reads what is written here: a file's flags come last. */
#include "files.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mapped_file.h"
#include "eh_table.h"
#include "err.h"
#include "session.h"
#include "startup.h"
#include "table_read.h"
#include "table_store.h"
#include "vdso.h"

#define TELL_TRIES 3 /* a file that cannot be opened is told of so many times at once, */
#define TELL_AGAIN_NS 1000000000ULL /* and then so often, by processes that map it anew */

#define FILES_WAITING 256
#define COPIES_WAITING 256 /* of 22 KiB */

/* A file that is open and has no table yet. */
struct waiting_file {
	uint32_t file;
	int fd;
};

struct stacks_files {
	struct probe *probe;
	struct waiting_file waiting[FILES_WAITING];
	size_t nwaiting;
	struct stacks_copy *copies[COPIES_WAITING];
	size_t ncopies;
	struct table_store store;
	uint8_t *tries;  /* by file: how often it could not be opened */
	uint32_t making; /* its table is being made; 0: none */
	bool unopened;   /* some have been so TELL_TRIES times */
	uint64_t again_ns;
	stacks_named *named;
	void *named_ctx;
};

/* ---- one file ---- */

static int read_ring(void *session)
{
	return ring_buffer__consume(((struct session *)session)->ring);
}

/* With `ring` it is read meanwhile: not from within the reading. */
static void make_table(struct stacks_files *f, uint32_t file, int fd, bool ring)
{
	struct session *s = f->probe->session;
	struct table_meanwhile m = { read_ring, s, session_fd(s) };
	struct eh_table t = { 0 };
	int err;

	if (table_store_shared(&f->store, file, fd))
		return;
	err = ring ? table_read(&t, fd, &m) : eh_table_read(&t, fd);
	table_store_put(&f->store, file, &t, err);
	eh_table_free(&t);
}

static void make_vdso(struct stacks_files *f)
{
	struct eh_table t = { 0 };
	size_t size = 0;
	void *image = vdso_copy(&size);

	if (!image)
		return;
	if (!eh_table_read_image(&t, image, size))
		table_store_put(&f->store, FRAME_FILE_VDSO, &t, 0);
	eh_table_free(&t);
	free(image);
}

static bool is_given_up(const struct stacks_files *f, uint32_t file)
{
	return f->tries[file] == TELL_TRIES;
}

/*
 * It may be told of again, by the next process that maps it. One that is given up is ready,
 * without a table: stacks end there, and are not copied to wait for it.
 */
static void file_gone(struct stacks_files *f, uint32_t file)
{
	static const struct eh_table none;

	if (is_given_up(f, file))
		return;
	if (++f->tries[file] < TELL_TRIES) {
		__atomic_store_n(&f->store.files[file].told, 0, __ATOMIC_RELEASE);
		return;
	}
	table_store_put(&f->store, file, &none, -ESTALE);
	if (!f->unopened)
		f->again_ns = session_clock() + TELL_AGAIN_NS;
	f->unopened = true;
}

static void tell_again(struct stacks_files *f)
{
	uint64_t now = f->unopened ? session_clock() : 0;

	if (now < f->again_ns || !f->unopened)
		return;
	f->again_ns = now + TELL_AGAIN_NS;
	f->unopened = false;
	for (uint32_t file = 0; file < f->store.nfiles; file++) {
		if (!is_given_up(f, file))
			continue;
		__atomic_store_n(&f->store.files[file].told, 0, __ATOMIC_RELEASE);
		f->unopened = true;
	}
}

static bool is_waiting(const struct stacks_files *f, uint32_t file)
{
	if (file == f->making)
		return true;
	for (size_t i = 0; i < f->nwaiting; i++)
		if (f->waiting[i].file == file)
			return true;
	return false;
}

/* The table of the first file that waits. */
static void make_first(struct stacks_files *f, bool ring)
{
	struct waiting_file w = f->waiting[0];
	uint32_t outer = f->making; /* called as the ring is read for that one */

	memmove(f->waiting, f->waiting + 1, --f->nwaiting * sizeof(w));
	f->making = w.file;
	make_table(f, w.file, w.fd, ring);
	f->making = outer;
	close(w.fd);
}

void stacks_files_told(struct stacks_files *f, const struct stacks_file_event *event)
{
	struct mapped_file m;

	if (event->file >= f->store.nfiles || is_waiting(f, event->file) ||
	    (table_store_is_ready(&f->store, event->file) && !is_given_up(f, event->file)))
		return;
	if (mapped_file_open(&m, event)) {
		file_gone(f, event->file);
		return;
	}
	f->tries[event->file] = 0;
	if (f->nwaiting == FILES_WAITING)
		make_first(f, false);
	f->named(f->named_ctx, event->file, m.fd, m.path, m.root_fd);
	f->waiting[f->nwaiting++] = (struct waiting_file){ event->file, m.fd };
	m.fd = -1;
	mapped_file_close(&m);
}

/* ---- stacks that wait for tables ---- */

/* Beyond COPIES_WAITING a stack keeps its hash and has no frames: counted as not told. */
void stacks_files_copied(struct stacks_files *f, const struct stacks_copy *copy)
{
	struct stacks_copy *kept;

	if (f->ncopies == COPIES_WAITING)
		return;
	kept = malloc(sizeof(*kept));
	if (!kept)
		abort();
	*kept = *copy;
	f->copies[f->ncopies++] = kept;
}

void stacks_files_work(struct stacks_files *f,
		       void (*walked)(void *ctx, const struct stacks_body *body, size_t size),
		       void *ctx)
{
	struct stacks_copy_body b;

	while (f->nwaiting) { /* the list grows as the ring is emptied */
		make_first(f, true);
		ring_buffer__consume(f->probe->session->ring);
	}
	for (size_t i = 0; i < f->ncopies; i++) {
		stacks_copy_walk(&b, &f->store, f->copies[i], 0);
		walked(ctx, &b.body, sizeof(b.body) + b.body.n * sizeof(b.body.frames[0]));
		free(f->copies[i]);
	}
	f->ncopies = 0;
	tell_again(f);
}

/* ---- a thread that waits ---- */

/* As much as there is from sp on; a page that cannot be read ends it. */
static uint32_t read_stack(uint8_t *to, uint64_t sp, pid_t tid)
{
	enum { PAGES = STACKS_COPY_BYTES / STACKS_COPY_PAGE };
	struct iovec here = { to, STACKS_COPY_BYTES }, there[PAGES + 1];
	uint64_t from = sp, end = sp + STACKS_COPY_BYTES;
	unsigned long n = 0;
	ssize_t got;

	while (from < end && n <= PAGES) {
		uint64_t next = (from / STACKS_COPY_PAGE + 1) * STACKS_COPY_PAGE;

		next = next < end ? next : end;
		there[n++] = (struct iovec){ (void *)(uintptr_t)from, next - from };
		from = next;
	}
	got = process_vm_readv(tid, &here, 1, there, n, 0);
	return got > 0 ? (uint32_t)got : 0;
}

bool stacks_files_walk(struct stacks_files *f, struct stacks_copy_body *to,
		       struct stacks_copy *copy, pid_t tid)
{
	static struct stacks_maps maps;
	uint32_t proc_id = copy->head.who.proc_id;

	to->body = (struct stacks_body){ .head = copy->head, .end = STACK_NO_PROCESS };
	copy->bytes = read_stack(copy->stack, copy->sp, tid);
	if (!copy->bytes)
		return false;
	if (bpf_map_lookup_elem(probe_map_fd(f->probe, "stacks_maps"), &proc_id, &maps) ||
	    maps.seq % 2 || maps.n > STACKS_MAPPINGS)
		return true;
	copy->n = maps.n;
	memcpy(copy->list, maps.list, maps.n * sizeof(maps.list[0]));
	stacks_copy_walk(to, &f->store, copy, tid);
	return true;
}

/* ---- the command's files, before it is there ---- */

static void take_prepared(void *ctx, const void *data, size_t size)
{
	struct startup *list = ctx;
	const struct stacks_vma *v = data;

	for (; size >= sizeof(*v); size -= sizeof(*v), v++)
		for (size_t i = 0; i < list->n; i++)
			if ((uintptr_t)list->files[i].map == v->start)
				list->files[i].number = v->file;
}

/*
 * Which number the kernel side gives to a file, it says of our own mapping of it: device and
 * inode that stat() shows may be others than the kernel's (overlay, btrfs).
 */
void stacks_files_prepare(struct stacks_files *f, const char *command)
{
	struct startup list = { 0 };

	startup_find(&list, command);
	if (list.n &&
	    !session_iterate_task(f->probe, "stacks_vmas", getpid(), take_prepared, &list))
		for (size_t i = 0; i < list.n; i++) {
			struct startup_file *file = &list.files[i];

			if (!file->number || file->number >= f->store.nfiles)
				continue;
			f->store.files[file->number].told = 1;
			make_table(f, file->number, file->fd, false);
			f->named(f->named_ctx, file->number, file->fd, file->path, -1);
		}
	startup_free(&list);
}

/* ---- processes that were there before ---- */

static void take_nothing(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
}

static bool knows_process(struct stacks_files *f, uint32_t proc_id)
{
	static struct stacks_maps maps;

	return !bpf_map_lookup_elem(probe_map_fd(f->probe, "stacks_maps"), &proc_id, &maps) &&
	       maps.mm;
}

/* The mappings of a process, by any of its threads: the first may have ended. */
static int take_process(struct stacks_files *f, pid_t pid)
{
	return session_iterate_task(f->probe, "stacks_vmas", pid, take_nothing, NULL);
}

/* If all of its threads that we know of have ended, the next stack of another asks again. */
void stacks_files_asked(struct stacks_files *f, const struct event_head *head)
{
	uint32_t tid = head->who.tid, pid = head->who.pid, proc_id = head->who.proc_id;

	take_process(f, (pid_t)(tid ? tid : pid));
	if (tid && tid != pid && !knows_process(f, proc_id))
		take_process(f, (pid_t)pid);
	if (!knows_process(f, proc_id))
		bpf_map_delete_elem(probe_map_fd(f->probe, "stacks_maps"), &proc_id);
}

int stacks_files_seed(struct stacks_files *f)
{
	int fd = probe_map_fd(&f->probe->session->target, "seed_pids"), err = 0;
	uint32_t pid, *last = NULL;
	struct slot_owner who;

	while (!err && !bpf_map_get_next_key(fd, last, &pid)) {
		last = &pid;
		if (bpf_map_lookup_elem(fd, &pid, &who) || !who.proc_id ||
		    knows_process(f, who.proc_id))
			continue;
		err = take_process(f, (pid_t)pid);
		if (err == -ESRCH || err == -EINVAL) /* it has ended */
			err = 0;
	}
	return err;
}

/* ---- begin and end ---- */

int stacks_files_open(struct stacks_files **out, struct probe *p, stacks_named *named, void *ctx)
{
	struct stacks_files *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return err_set(-ENOMEM, "no memory");
	f->probe = p;
	f->named = named;
	f->named_ctx = ctx;
	err = table_store_open(&f->store, p);
	if (!err) {
		f->tries = calloc(f->store.nfiles, sizeof(*f->tries));
		err = f->tries ? 0 : err_set(-ENOMEM, "no memory");
	}
	if (err) {
		stacks_files_close(f);
		return err;
	}
	make_vdso(f);
	*out = f;
	return 0;
}

uint64_t stacks_files_lost(const struct stacks_files *f)
{
	return f->store.lost;
}

void stacks_files_close(struct stacks_files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->nwaiting; i++)
		close(f->waiting[i].fd);
	for (size_t i = 0; i < f->ncopies; i++)
		free(f->copies[i]);
	table_store_close(&f->store);
	free(f->tries);
	free(f);
}
