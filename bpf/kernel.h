/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel types that dwell reads, and of those only the fields. libbpf relocates
 * every access against the running kernel's BTF (CO-RE), so order and size here do not
 * matter; name, nesting and signedness do. tests/kernel/slice looks each field up in
 * the kernel's BTF: add a field here and the test covers it.
 *
 * Layout changes between versions have a flavour (name___version) with its commit.
 */
#ifndef DWELL_KERNEL_H
#define DWELL_KERNEL_H

#define __VMLINUX_H__ /* bpf_tracing.h: the kernel's own register names */

#include <linux/types.h>
#include <linux/bpf.h>

typedef __u64 u64;
typedef __u32 u32;
typedef __u16 u16;
typedef __u8 u8;
typedef __s64 s64;
typedef __s32 s32;
typedef _Bool bool;
#define true 1
#define false 0

#ifndef NULL
#define NULL ((void *)0)
#endif

#define SLICE __attribute__((preserve_access_index))

struct pt_regs { /* arch/x86/include/asm/ptrace.h */
	unsigned long r15, bx, bp, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, flags, sp;
} SLICE;

struct thread_info {
	u32 status; /* TS_COMPAT: a 32-bit system call */
} SLICE;

struct rq {
	u64 clock, clock_task; /* apart by what interrupts and the host took, both since boot */
} SLICE;

struct cfs_rq {
	struct rq *rq;
} SLICE;

struct sched_entity {
	u64 sum_exec_runtime;
	u64 exec_start; /* rq->clock_task to which it has been charged */
	struct cfs_rq *cfs_rq;
	u64 nr_migrations;
} SLICE;

/* Times of the runqueue's clock; 0: not so now. CONFIG_SCHED_INFO */
struct sched_info {
	u64 last_arrival, last_queued;
} SLICE;

struct ns_common {
	unsigned int inum; /* inode of /proc/PID/ns/pid */
} SLICE;

struct pid_namespace {
	struct ns_common ns;
} SLICE;

struct upid {
	int nr;
	struct pid_namespace *ns;
} SLICE;

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* one a level */
} SLICE;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	unsigned long maxrss; /* pages; set when the group dies, or execs */
} SLICE;

struct task_io_accounting {
	u64 rchar, wchar, syscr, syscw, read_bytes, write_bytes, cancelled_write_bytes;
} SLICE;

struct qstr {
	const unsigned char *name;
	u32 len;
} SLICE;

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
} SLICE;

struct inode {
	u16 i_mode;
	u32 i_rdev;
	unsigned long i_ino;
	struct super_block *i_sb;
} SLICE;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} SLICE;

struct vfsmount {
	struct dentry *mnt_root;
} SLICE;

struct mount { /* fs/mount.h */
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} SLICE;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} SLICE;

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
} SLICE;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} SLICE;

struct files_struct {
	struct fdtable *fdt;
} SLICE;

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
} SLICE;

struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num; /* dport in network order */
	u16 skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} SLICE;

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
} SLICE;

struct socket {
	struct sock *sk;
} SLICE;

struct sockaddr_un {
	u16 sun_family;
	char sun_path[108];
} SLICE;

struct unix_address {
	int len;
	struct sockaddr_un name[0];
} SLICE;

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
} SLICE;

struct bpf_local_storage;

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	int pid, tgid;
	int exit_code, on_cpu;
	unsigned int in_iowait : 1;
	unsigned long jobctl;
	u64 utime, stime;
	unsigned long nvcsw, nivcsw;
	u64 start_time;
	unsigned long min_flt, maj_flt;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_struct *group_leader, *real_parent;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct files_struct *files;
	struct bpf_local_storage *bpf_storage; /* NULL: nobody keeps anything for it */
	struct task_io_accounting ioac;
	char comm[16];
} SLICE;

struct linux_binprm {
	const char *fdpath; /* name made for execveat of a descriptor; else NULL */
} SLICE;

struct io_kiocb {
	u8 opcode;
} SLICE;

/* BPF iterator context: kernel/bpf/task_iter.c */
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id, seq_num;
} SLICE;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} SLICE;

/* include/linux/sched.h; the same numbers since 4.14 (TASK_FROZEN: 6.1, f5d39b020809) */
#define TASK_RUNNING 0
#define TASK_STOPPED 0x4
#define TASK_TRACED 0x8
#define TASK_DEAD 0x80
#define TASK_WAKING 0x200
#define TASK_FROZEN 0x8000
#define JOBCTL_TRAP_FREEZE (1UL << 23)
#define PF_EXITING 0x4
#define PF_IO_WORKER 0x10
#define PF_KTHREAD 0x200000
#define TS_COMPAT 2
#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

#define CLONE_THREAD 0x10000

/* include/linux/lockdep.h / trace/events/lock.h, since 5.19 (16edd9b511a1) */
#define LCB_F_SPIN 1
#define LCB_F_MUTEX 32

/* include/linux/preempt.h: bits of the preempt count */
#define SOFTIRQ_SERVING 0x100
#define HARDIRQ_MASK 0xf0000
#define NMI_MASK 0xf00000

/* include/uapi/linux/stat.h, magic.h */
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define ANON_INODE_FS_MAGIC 0x09041934
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

#endif
