/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a thread waits on: from the descriptor in its system call's argument to the file,
 * its kind and, the first time it is seen, its name. All reads may fault: the helper then
 * gives zeroes, and the object is shown by number.
 */
#ifndef DWELL_OBJECT_BPF_H
#define DWELL_OBJECT_BPF_H

#include "file.bpf.h"
#include "file_name.bpf.h"
#include "kread.bpf.h"
#include "target.bpf.h"
#include "ledger.h"

struct name_key {
	__u64 a;
	__u32 b;
	__u32 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* few programs wait on so many */
	__uint(max_entries, 8192);
	__type(key, struct name_key);
	__type(value, struct object_name);
} ledger_names SEC(".maps");

/* An anonymous inode is told from its fellows by its name only: [eventfd], [timerfd], … */
static __always_inline __u32 anon_state(struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char text[8] = {};

	bpf_probe_read_kernel_str(text, sizeof(text), name);
	if (text[0] != '[')
		return STATE_OTHER;
	if (text[1] == 't' && text[2] == 'i')
		return STATE_SLEEP; /* [timerfd] */
	if (text[1] == 's' && text[2] == 'i')
		return STATE_SIGNAL; /* [signalfd] */
	if (text[1] == 'e' && text[2] == 'v' && text[5] == 'f')
		return STATE_IPC; /* [eventfd] */
	if (text[1] == 'i' && text[2] == 'o')
		return STATE_IO_URING; /* [io_uring] */
	return STATE_OTHER;
}

/* State and object of a wait on `file`; `state` is what the call itself says. */
static __always_inline __u32 file_cause(struct file *file, __u32 state, struct object_key *key)
{
	struct inode *inode = KREAD(file, f_inode);
	__u16 mode = KREAD(inode, i_mode);
	struct super_block *sb = KREAD(inode, i_sb);
	bool by_file = state == CAUSE_BY_FILE;

	key->a = KREAD(inode, i_ino);
	key->b = KREAD(sb, s_dev);
	switch (mode & S_IFMT) {
	case S_IFIFO:
		key->kind = OBJECT_PIPE;
		return by_file ? STATE_PIPE : state;
	case S_IFSOCK:
		key->kind = OBJECT_SOCKET;
		return by_file ? STATE_SOCKET : state;
	case S_IFCHR:
		key->b = KREAD(inode, i_rdev);
		key->kind = is_tty(key->b) ? OBJECT_TTY : OBJECT_FILE;
		return !by_file ? state : key->kind == OBJECT_TTY ? STATE_TTY : STATE_OTHER;
	}
	/* 6.16 gave anonymous inodes the mode of a regular file (cfd86ef7e8e7): ask the fs */
	if (KREAD(sb, s_magic) == ANON_INODE_FS_MAGIC) {
		key->kind = OBJECT_NONE;
		return by_file ? anon_state(file) : state;
	}
	key->kind = OBJECT_FILE;
	return by_file ? STATE_DISK : state;
}

static __always_inline void name_unix(struct object_name *name, struct sock *sk)
{
	struct unix_sock *us = (void *)sk;
	struct unix_address *addr = BPF_CORE_READ(us, addr);
	int len = BPF_CORE_READ(addr, len);
	struct sock *peer;

	if (!addr) { /* a client: the path is its server's */
		peer = BPF_CORE_READ(us, peer);
		us = (void *)peer;
		addr = peer ? BPF_CORE_READ(us, addr) : NULL;
		len = addr ? BPF_CORE_READ(addr, len) : 0;
	}
	if (!addr || len <= 2)
		return;
	bpf_probe_read_kernel(name->text, 108,
			      (void *)addr + bpf_core_field_offset(struct unix_address, name) + 2);
	name->len = len - 2 < 108 ? len - 2 : 108;
}

static __always_inline void name_socket(struct object_name *name, struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);

	name->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	name->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (name->family == AF_UNIX) {
		name_unix(name, sk);
		return;
	}
	if (name->family != AF_INET && name->family != AF_INET6)
		return;
	name->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	name->rport = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (name->family == AF_INET) {
		*(__u32 *)name->laddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)name->raddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		return;
	}
	BPF_CORE_READ_INTO(&name->laddr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
	BPF_CORE_READ_INTO(&name->raddr, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
}

/* Names the object once; a full table leaves it its number. */
__noinline int object_named(struct object_key *okey, __u64 file_addr)
{
	struct file *file = (void *)file_addr;
	struct name_key key;
	struct object_name *name;
	__u32 zero = 0;

	if (!okey)
		return 0;
	key = (struct name_key){ .a = okey->a, .b = okey->b, .kind = okey->kind };
	if (bpf_map_lookup_elem(&ledger_names, &key))
		return 0;
	name = bpf_map_lookup_elem(&scratch_name, &zero);
	if (!name)
		return 0;
	__builtin_memset(name, 0, 48);
	if (key.kind == OBJECT_SOCKET)
		name_socket(name, file);
	else
		name_path(name, file);
	if (bpf_map_update_elem(&ledger_names, &key, name, BPF_ANY))
		counter_add(COUNTER_LOST_NAME);
	return 0;
}

#endif
