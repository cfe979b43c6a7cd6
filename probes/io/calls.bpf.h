/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * I/O by system call: what each did, by kind of file and by file. Called after the call has
 * returned; the descriptor still names the file, unless another thread has closed it since:
 * then the call is one of kind `other`. close() itself leaves nothing to look at.
 */
#ifndef DWELL_IO_CALLS_BPF_H
#define DWELL_IO_CALLS_BPF_H

#include "file.bpf.h"
#include "file_name.bpf.h"
#include "io.h"
#include "roles.bpf.h"
#include "slot.bpf.h"

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define O_DIRECT 040000
#define PAGE_SHIFT 12

SLOT_MAP(io_slots, struct io_slot);
HIST_MAP(io_hists);

const volatile struct io_cfg io_cfg SEC(".rodata.io") = { .files = 1, .devices = 1 };

/* ---- files: a row each, found by an index ---- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct io_file);
} io_files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct io_file_key);
	__type(value, __u32);
} io_file_rows SEC(".maps");

/* By row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct object_name);
} io_file_names SEC(".maps");

/* The files that a CPU has come by last: the index takes three times as long. */
#define IO_RECENT 256
struct io_recent {
	struct io_file_key key;
	__u64 row;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IO_RECENT);
	__type(key, __u32);
	__type(value, struct io_recent);
} io_recent SEC(".maps");

/* A new row for a file; 0 when there is none left. */
static __always_inline __u32 io_file_open(const struct io_file_key *key, struct file *file,
					  __u32 kind, __u32 proc_id)
{
	__u32 next = COUNTER_NEXT_IO_FILE, row, *known;
	__u64 *used = bpf_map_lookup_elem(&counters, &next);
	struct object_name *name;
	struct io_file *f;

	if (!used || *used + 1 >= io_cfg.files)
		return 0;
	row = 1 + counter_add(COUNTER_NEXT_IO_FILE);
	if (row >= io_cfg.files)
		return 0;
	if (bpf_map_update_elem(&io_file_rows, key, &row, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&io_file_rows, key); /* another CPU was first */
		return known ? *known : 0;
	}
	f = bpf_map_lookup_elem(&io_files, &row);
	if (!f)
		return 0;
	f->key = *key;
	f->kind = kind;
	f->proc_id = proc_id;
	name = file_name(file);
	if (name && bpf_map_update_elem(&io_file_names, &row, name, BPF_ANY))
		counter_add(COUNTER_LOST_NAME);
	return row;
}

/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline __u32 io_file_find(const struct io_file_key *wanted, __u64 file, __u32 kind,
			      __u32 proc_id)
{
	struct io_file_key key; /* before 6.2 a map's key must be on the stack */
	__u32 *row;

	if (!wanted)
		return 0;
	key = *wanted;
	row = bpf_map_lookup_elem(&io_file_rows, &key);
	return row ? *row : io_file_open(&key, (struct file *)file, kind, proc_id);
}

static __always_inline struct io_file *io_file_row(const struct io_file_key *key, struct file *file,
						   __u32 kind, __u32 proc_id)
{
	__u32 at = (key->ino ^ key->generation) & (IO_RECENT - 1), row;
	struct io_recent *recent = bpf_map_lookup_elem(&io_recent, &at);

	if (!recent)
		return NULL;
	if (recent->key.ino == key->ino && recent->key.dev == key->dev &&
	    recent->key.generation == key->generation && recent->row) {
		row = recent->row;
	} else {
		row = io_file_find(key, (__u64)file, kind, proc_id);
		recent->key = *key;
		recent->row = row;
	}
	if (!row)
		counter_add(COUNTER_OTHER_IO_FILE);
	return bpf_map_lookup_elem(&io_files, &row);
}

/* ---- a file: its kind, and whether reads of it go through the page cache ---- */

struct io_found {
	struct file *file; /* NULL: gone */
	__u32 kind;
	__u32 magic; /* of its file system */
	struct io_file_key key;
};

static __always_inline __u32 io_kind(__u16 mode, __u32 magic, struct inode *inode)
{
	if (magic == ANON_INODE_FS_MAGIC) /* of a regular file's mode since 6.16, cfd86ef7e8e7 */
		return IO_OTHER;
	switch (mode & S_IFMT) {
	case S_IFREG:
		return IO_REGULAR;
	case S_IFDIR:
		return IO_DIRECTORY;
	case S_IFSOCK:
		return IO_SOCKET;
	case S_IFIFO:
		return IO_PIPE;
	case S_IFCHR:
		return is_tty(KREAD(inode, i_rdev)) ? IO_TTY : IO_DEVICE;
	case S_IFBLK:
		return IO_DEVICE;
	}
	return IO_OTHER;
}

__noinline int io_look(struct io_found *found, __u32 fd)
{
	struct file *file = call_file(fd);
	struct super_block *sb;
	struct inode *inode;

	if (!found)
		return 0;
	found->file = file;
	found->kind = IO_OTHER;
	if (!file)
		return 0;
	inode = KREAD(file, f_inode);
	sb = KREAD(inode, i_sb);
	found->magic = KREAD(sb, s_magic);
	found->kind = io_kind(KREAD(inode, i_mode), found->magic, inode);
	found->key.ino = KREAD(inode, i_ino);
	found->key.dev = KREAD(sb, s_dev);
	/* the kind too: overlayfs may give a directory the number of a file */
	found->key.generation = KREAD(inode, i_generation) ^ found->kind << 29;
	return 0;
}

/* Files that a path leads to have a row; sockets and pipes come and go without one. */
static __always_inline bool io_has_row(__u32 kind)
{
	return kind == IO_REGULAR || kind == IO_DIRECTORY || kind == IO_TTY || kind == IO_DEVICE;
}

/* A file system that reads into the page cache says how; overlayfs leaves it to the one below. */
static __always_inline bool io_cached(const struct io_found *found)
{
	struct address_space_operations *ops;
	struct address_space *mapping;
	struct file *file = found->file; /* CO-RE would take found for a kernel's struct */

	if (found->kind != IO_REGULAR && found->kind != IO_DEVICE)
		return false;
	if (KREAD(file, f_flags) & O_DIRECT)
		return false;
	if (found->magic == OVERLAYFS_SUPER_MAGIC)
		return true;
	mapping = KREAD(file, f_mapping);
	ops = KREAD(mapping, a_ops);
	return KREAD(ops, read_folio) || KREAD(ops, readahead);
}

static __always_inline __u64 io_pages(__u64 end, __u64 bytes)
{
	if (end < bytes) /* another thread has moved the position since: as from the start */
		end = bytes;
	return ((end - 1) >> PAGE_SHIFT) - ((end - bytes) >> PAGE_SHIFT) + 1;
}

/* ---- counting ---- */

static __always_inline bool io_failed(__s64 ret)
{
	return ret < 0 && ret >= -ERRNO_MAX;
}

static __always_inline void io_time(struct io_slot *s, __u32 op, __u32 hist, __u64 ns)
{
	if (!ns)
		return;
	if (op > IO_WRITE)
		slot_add(&s->ns[op], ns);
	slot_add(&s->timed[op], 1);
	slot_max(&s->max_ns[op], ns);
	hist_note(&io_hists, hist, ns);
}

#define IO_NO_POSITION (~0ULL) /* the file's own, which the call has moved on */

/* Where the data that was read ended, in its file. */
static __always_inline __u64 io_end(const struct io_found *found, __u64 position, __s64 ret)
{
	struct file *file = found->file;

	if (position == IO_NO_POSITION)
		return KREAD(file, f_pos);
	return position + ret;
}

static __always_inline void io_moved_add(struct io_moved *m, __s64 ret, __u64 ns)
{
	slot_add(&m->calls, 1);
	if (ret > 0)
		slot_add(&m->bytes, ret);
	if (ns)
		slot_add(&m->ns, ns);
}

/* The file's part, in a function: the verifier need not know whether there is one further on. */
__noinline int io_move_file(const struct io_found *found, const struct call_done *call, __u32 dir)
{
	struct io_file_key key;
	struct io_file *f;
	__s64 ret;

	if (!found || !call)
		return 0;
	barrier_var(dir);
	if (dir > IO_WRITE)
		return 0;
	key = found->key;
	f = io_file_row(&key, found->file, found->kind, call->who.proc_id);
	if (!f)
		return 0;
	ret = call->ret;
	io_moved_add(&f->moved[dir], ret, call->ns);
	if (io_failed(ret))
		slot_add(&f->errors, 1);
	return 0;
}

/* `fd` gave or took `ret` bytes. */
__noinline int io_move(const struct call_done *call, __u32 dir, __u32 fd, __u64 position)
{
	struct io_found found = {};
	struct io_slot *s;
	__u32 kind;
	__u64 end;
	__s64 ret;

	if (!call)
		return 0;
	barrier_var(dir);
	if (dir > IO_WRITE)
		return 0;
	s = SLOT_ROW(io_slots, call->who.slot);
	if (!s)
		return 0;
	ret = call->ret;
	io_look(&found, fd);
	kind = found.kind;
	barrier_var(kind); /* what is compared is what is used: the verifier sees the bound */
	if (kind >= IO_KINDS)
		return 0;
	if (io_has_row(kind))
		io_move_file(&found, call, dir);
	io_moved_add(&s->moved[dir][kind], ret, call->ns);
	if (io_failed(ret))
		slot_add(&s->errors[dir], 1);
	if (dir == IO_READ && ret > 0 && io_cached(&found)) {
		end = io_end(&found, position, ret);
		slot_add(&s->cached_pages, io_pages(end, ret));
	}
	io_time(s, dir, dir * IO_KINDS + kind, call->ns);
	return 0;
}

/* The position that a call has moved on at `address`, if it was given one. */
static __always_inline __u64 io_moved_to(__u64 address, __s64 ret)
{
	__u64 position;

	if (!address || bpf_probe_read_user(&position, sizeof(position), (void *)address))
		return IO_NO_POSITION;
	return position - ret;
}

/* From one descriptor to another: a read of the one and a write of the other. */
static __always_inline int io_copy(const struct call_done *call, __u32 from, __u32 to,
				   __u64 position)
{
	io_move(call, IO_READ, from, position ? io_moved_to(position, call->ret) : IO_NO_POSITION);
	return io_move(call, IO_WRITE, to, 0);
}

__noinline int io_opened(const struct call_done *call)
{
	struct io_found found = {};
	struct io_slot *s;
	struct io_file *f;
	__u32 kind;

	if (!call)
		return 0;
	s = SLOT_ROW(io_slots, call->who.slot);
	if (!s)
		return 0;
	slot_add(&s->calls[IO_OPEN], 1);
	io_time(s, IO_OPEN, IO_HIST_CALL, call->ns);
	if (io_failed(call->ret)) {
		slot_add(&s->errors[IO_OPEN], 1);
		return 0;
	}
	io_look(&found, call->ret);
	kind = found.kind;
	barrier_var(kind);
	if (kind >= IO_KINDS)
		return 0;
	slot_add(&s->opens[kind], 1);
	if (!io_has_row(kind))
		return 0;
	f = io_file_row(&found.key, found.file, kind, call->who.proc_id);
	if (f)
		slot_add(&f->opens, 1);
	return 0;
}

/* A close, a seek, or a sync that names no file. */
__noinline int io_plain(const struct call_done *call, __u32 op, __u64 ns)
{
	struct io_slot *s;

	if (!call)
		return 0;
	barrier_var(op);
	if (op >= IO_OPS)
		return 0;
	s = SLOT_ROW(io_slots, call->who.slot);
	if (!s)
		return 0;
	slot_add(&s->calls[op], 1);
	if (io_failed(call->ret))
		slot_add(&s->errors[op], 1);
	io_time(s, op, IO_HIST_CALL + op - IO_OPEN, ns);
	return 0;
}

/*
 * ---- fsync and fdatasync: timed always ----
 *
 * By their own sys_enter tracepoints: the kernel's filter by number costs every other call of
 * the machine 11 ns, where a program on sys_enter costs 80 and more.
 */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH); /* a thread that dies in the call leaves its entry */
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} io_syncing SEC(".maps");

static __always_inline int io_sync_begin(void)
{
	__u64 id = bpf_get_current_pid_tgid(), now;

	if (!target_current())
		return 0;
	now = bpf_ktime_get_ns();
	bpf_map_update_elem(&io_syncing, &id, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_fsync")
int io_fsync_enter(void *ctx)
{
	return io_sync_begin();
}

SEC("tracepoint/syscalls/sys_enter_fdatasync")
int io_fdatasync_enter(void *ctx)
{
	return io_sync_begin();
}

static __always_inline __u64 io_sync_time(const struct call_done *call)
{
	__u64 id = bpf_get_current_pid_tgid(), *begin, ns = call->ns;

	begin = bpf_map_lookup_elem(&io_syncing, &id);
	if (begin && !ns)
		ns = bpf_ktime_get_ns() - *begin;
	if (begin)
		bpf_map_delete_elem(&io_syncing, &id);
	return ns;
}

__noinline int io_synced(const struct call_done *call, __u32 op)
{
	struct io_found found = {};
	struct io_file *f;
	__u64 ns;

	if (!call)
		return 0;
	ns = op == IO_SYNC ? call->ns : io_sync_time(call);
	io_plain(call, op, ns);
	io_look(&found, call->arg[0]);
	if (!io_has_row(found.kind))
		return 0;
	f = io_file_row(&found.key, found.file, found.kind, call->who.proc_id);
	if (!f)
		return 0;
	slot_add(&f->syncs, 1);
	if (io_failed(call->ret))
		slot_add(&f->errors, 1);
	if (ns)
		slot_add(&f->sync_ns, ns);
	return 0;
}

__noinline int io_call(const struct call_done *call)
{
	if (!call)
		return 0;
	switch (call->nr) {
	case __NR_read:
	case __NR_readv:
		return io_move(call, IO_READ, call->arg[0], IO_NO_POSITION);
	case __NR_pread64:
	case __NR_preadv:
	case __NR_preadv2: /* -1: the file's own position */
		return io_move(call, IO_READ, call->arg[0], call->arg[3]);
	case __NR_write:
	case __NR_writev:
	case __NR_pwrite64:
	case __NR_pwritev:
	case __NR_pwritev2:
		return io_move(call, IO_WRITE, call->arg[0], 0);
	case __NR_sendfile:
		return io_copy(call, call->arg[1], call->arg[0], call->arg[2]);
	case __NR_copy_file_range:
	case __NR_splice:
		return io_copy(call, call->arg[0], call->arg[2], call->arg[1]);
	case __NR_tee:
		return io_copy(call, call->arg[0], call->arg[1], 0);
	case __NR_open:
	case __NR_openat:
	case __NR_openat2:
	case __NR_creat:
		return io_opened(call);
	case __NR_close:
	case __NR_close_range:
		return io_plain(call, IO_CLOSE, call->ns);
	case __NR_lseek:
		return io_plain(call, IO_SEEK, call->ns);
	case __NR_fsync:
		return io_synced(call, IO_FSYNC);
	case __NR_fdatasync:
		return io_synced(call, IO_FDATASYNC);
	case __NR_syncfs:
	case __NR_sync_file_range:
		return io_synced(call, IO_SYNC);
	case __NR_sync:
	case __NR_msync:
		return io_plain(call, IO_SYNC, call->ns);
	}
	return 0;
}

#endif
