/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The path of a file, from its directory entry up to the root, across mounts. */
#ifndef DWELL_FILE_NAME_BPF_H
#define DWELL_FILE_NAME_BPF_H

#include "kread.bpf.h"
#include "ledger.h"

#define NAME_PARTS 24 /* directory levels kept of a path */
#define NAME_PART 128 /* bytes kept of a level, with its NUL */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct object_name);
} scratch_name SEC(".maps");

struct path_walk {
	struct dentry *dentry;
	struct mount *mnt;
	__u32 len;
	__u32 whole; /* the root was reached */
};

/* One step from a directory entry to its parent, across mounts; 1 ends the walk. */
static long path_step(__u32 i, struct path_walk *w)
{
	struct dentry *dentry = w->dentry, *parent, *root;
	struct mount *mnt = w->mnt, *up;
	struct object_name *name;
	const unsigned char *text;
	__u32 len = w->len, zero = 0;
	long n;

	parent = KREAD(dentry, d_parent);
	root = KREAD(mnt, mnt.mnt_root);
	if (dentry == root || dentry == parent) {
		up = KREAD(mnt, mnt_parent);
		if (!up || up == mnt) {
			w->whole = 1;
			return 1;
		}
		w->dentry = KREAD(mnt, mnt_mountpoint);
		w->mnt = up;
		return 0;
	}
	name = bpf_map_lookup_elem(&scratch_name, &zero);
	barrier_var(len); /* what is compared is what is used: the verifier sees the bound */
	if (!name || len > OBJECT_NAME_LEN - NAME_PART)
		return 1;
	text = KREAD(dentry, d_name.name);
	n = bpf_probe_read_kernel_str(name->text + len, NAME_PART, text);
	if (n <= 0)
		return 1;
	if (n == NAME_PART) { /* of a long one the beginning, and U+2026 */
		name->text[len + NAME_PART - 4] = 0xe2;
		name->text[len + NAME_PART - 3] = 0x80;
		name->text[len + NAME_PART - 2] = 0xa6;
	}
	w->len = len + n;
	w->dentry = parent;
	return 0;
}

/* Path components, leaf first; user space turns them round. */
static __always_inline void name_path(struct object_name *name, struct file *file)
{
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	struct path_walk walk = {
		.dentry = BPF_CORE_READ(file, f_path.dentry),
		.mnt = (void *)mnt - bpf_core_field_offset(struct mount, mnt),
	};

	bpf_loop(NAME_PARTS, path_step, &walk, 0);
	name->len = walk.len;
	name->cut = !walk.whole;
}

/* The CPU's scratch record with the file's path in it. */
static __always_inline struct object_name *file_name(struct file *file)
{
	__u32 zero = 0;
	struct object_name *name = bpf_map_lookup_elem(&scratch_name, &zero);

	if (!name)
		return NULL;
	__builtin_memset(name, 0, 48);
	name_path(name, file);
	return name;
}

#endif
