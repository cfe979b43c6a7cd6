/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The io probe's maps by process and by file, and what the file behind a descriptor is. */
#ifndef DWELL_IO_FILES_BPF_H
#define DWELL_IO_FILES_BPF_H

#include "file.bpf.h"
#include "file_name.bpf.h"
#include "io.h"
#include "slot.bpf.h"

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define O_DIRECT 040000
#define IO_INODES 16384

SLOT_MAP(io_slots, struct io_slot);
HIST_MAP(io_hists);

const volatile struct io_cfg io_cfg SEC(".rodata.io") = { .files = 1, .devices = 1 };

/* ---- files: a row for each path, found by two indices ---- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct io_file);
} io_files SEC(".maps");

/* By file; one that has been forgotten is found by its path. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IO_INODES);
	__type(key, struct io_file_key);
	__type(value, __u32);
} io_file_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct io_path_key);
	__type(value, __u32);
} io_path_rows SEC(".maps");

/* By row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct object_name);
} io_file_names SEC(".maps");

/* The files that a CPU has come by last: an index takes three times as long. */
#define IO_RECENT 256
struct io_recent {
	struct io_file_key key;
	__u32 row; /* 0: `other`, as there was none left */
	__u32 known;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IO_RECENT);
	__type(key, __u32);
	__type(value, struct io_recent);
} io_recent SEC(".maps");

static __always_inline void io_path_of(struct io_path_key *path, struct file *file)
{
	struct dentry *dentry = KREAD(file, f_path.dentry);
	struct dentry *parent = KREAD(dentry, d_parent);
	const unsigned char *name = KREAD(dentry, d_name.name);
	struct inode *inode = KREAD(parent, d_inode);
	__u32 len = KREAD(dentry, d_name.len);

	path->name = KREAD(dentry, d_name.hash_len);
	path->dir = KREAD(inode, i_ino) ^ (__u64)KREAD(inode, i_generation) << 32;
	if (len < sizeof(path->tail))
		bpf_probe_read_kernel(&path->tail, len & (sizeof(path->tail) - 1), name);
	else
		bpf_probe_read_kernel(&path->tail, sizeof(path->tail),
				      name + len - sizeof(path->tail));
}

/* A new row for a path; 0 when there is none left. */
static __always_inline __u32 io_path_open(const struct io_path_key *path,
					  const struct io_file_key *key, struct file *file,
					  __u32 proc_id)
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
	if (bpf_map_update_elem(&io_path_rows, path, &row, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&io_path_rows, path); /* another CPU was first */
		return known ? *known : 0;
	}
	f = bpf_map_lookup_elem(&io_files, &row);
	if (!f)
		return 0;
	f->key = *key;
	f->kind = path->kind;
	f->proc_id = proc_id;
	f->dir = path->dir;
	name = file_name(file);
	if (name && bpf_map_update_elem(&io_file_names, &row, name, BPF_ANY))
		counter_add(COUNTER_LOST_NAME);
	return row;
}

/* Functions that are not static are checked once by the verifier, not at each call. */
__noinline __u32 io_path_find(const struct io_file_key *key, __u64 file, __u32 kind, __u32 proc_id)
{
	struct io_path_key path = { .kind = kind };
	__u32 *row;

	if (!key)
		return 0;
	path.dev = key->dev;
	io_path_of(&path, (struct file *)file);
	row = bpf_map_lookup_elem(&io_path_rows, &path);
	return row ? *row : io_path_open(&path, key, (struct file *)file, proc_id);
}

__noinline __u32 io_file_find(const struct io_file_key *wanted, __u64 file, __u32 kind,
			      __u32 proc_id)
{
	struct io_file_key key; /* before 6.2 a map's key must be on the stack */
	__u32 *known, row;
	struct io_file *f;

	if (!wanted)
		return 0;
	key = *wanted;
	known = bpf_map_lookup_elem(&io_file_rows, &key);
	if (known)
		return *known;
	row = io_path_find(wanted, file, kind, proc_id);
	if (!row || bpf_map_update_elem(&io_file_rows, &key, &row, BPF_NOEXIST))
		return row;
	f = bpf_map_lookup_elem(&io_files, &row);
	if (!f || (f->inodes && f->key.ino == key.ino && f->key.generation == key.generation))
		return row; /* the index had forgotten it */
	f->key = key;
	slot_add(&f->inodes, 1);
	return row;
}

static __always_inline struct io_file *io_file_row(const struct io_file_key *key, struct file *file,
						   __u32 kind, __u32 proc_id)
{
	__u32 at = (key->ino ^ key->generation) & (IO_RECENT - 1), row;
	struct io_recent *recent = bpf_map_lookup_elem(&io_recent, &at);

	if (!recent)
		return NULL;
	if (recent->key.ino == key->ino && recent->key.dev == key->dev &&
	    recent->key.generation == key->generation && recent->known) {
		row = recent->row;
	} else {
		row = io_file_find(key, (__u64)file, kind, proc_id);
		recent->key = *key;
		recent->row = row;
		recent->known = 1;
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
	case S_IFCHR:
		return is_tty(KREAD(inode, i_rdev)) ? IO_TTY : IO_DEVICE;
	case S_IFBLK:
		return IO_DEVICE;
	}
	return IO_OTHER;
}

static __always_inline int io_look_at(struct io_found *found, struct file *file)
{
	struct super_block *sb;
	struct inode *inode;
	__u16 mode;

	found->file = file;
	found->kind = IO_OTHER;
	if (!file)
		return 0;
	inode = KREAD(file, f_inode);
	mode = KREAD(inode, i_mode);
	if ((mode & S_IFMT) == S_IFSOCK || (mode & S_IFMT) == S_IFIFO) { /* they have no row */
		found->kind = (mode & S_IFMT) == S_IFSOCK ? IO_SOCKET : IO_PIPE;
		return 0;
	}
	sb = KREAD(inode, i_sb);
	found->magic = KREAD(sb, s_magic);
	found->kind = io_kind(mode, found->magic, inode);
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

#endif
