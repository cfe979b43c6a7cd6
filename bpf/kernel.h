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
	unsigned long r15, r14, r13, r12, bx, bp, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		flags, sp;
} SLICE;

struct thread_info {
	u32 status; /* TS_COMPAT: a 32-bit system call */
	u32 cpu;
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
	u64 hash_len; /* that, and the hash that the directory's cache finds the name by */
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
	u32 i_generation;
} SLICE;

struct address_space_operations {
	void *read_folio, *readahead;
} SLICE;

struct address_space {
	struct address_space_operations *a_ops;
} SLICE;

struct folio { /* flags and number of pages: probes/io/cache.bpf.h */
	struct address_space *mapping;
} SLICE;

struct dentry {
	struct dentry *d_parent;
	struct inode *d_inode;
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
	struct address_space *f_mapping;
	unsigned int f_flags;
	s64 f_pos;
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
		u32 u6_addr32[4];
	} in6_u;
} SLICE;

struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num; /* dport in network order */
	u16 skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	unsigned long skc_flags;
} SLICE;

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	u16 sk_type;
	u8 sk_userlocks; /* a bit field before 6.10 */
	int sk_err;
	atomic_t sk_drops;
	u32 sk_ack_backlog, sk_max_ack_backlog;
} SLICE;

struct minmax_sample {
	u32 v;
} SLICE;

struct minmax {
	struct minmax_sample s[3];
} SLICE;

struct tcp_sock {
	u32 segs_out, segs_in, data_segs_out, data_segs_in;
	u32 total_retrans;
	u32 srtt_us; /* eight times the smoothed RTT */
	u32 snd_cwnd;
	u64 bytes_sent, bytes_retrans, bytes_received;
	struct minmax rtt_min;
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

struct percpu_counter {
	s64 count; /* less what the CPUs hold back */
	s32 *counters;
} SLICE;

struct kmem_cache {
	unsigned int size, object_size; /* with and without what is beside an object */
	const char *name;
} SLICE;

struct mm_struct {
	unsigned long start_code, end_code, start_brk, brk, start_stack;
	struct {
		void *vdso;
	} context;
} SLICE;

struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_pgoff, vm_flags;
	struct file *vm_file;
	struct mm_struct *vm_mm;
} SLICE;

struct kernfs_node {
	const char *name;
	u64 id; /* inode number */
} SLICE;

struct cgroup {
	struct kernfs_node *kn;
} SLICE;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} SLICE;

struct cfs_bandwidth {
	s64 period;
	u64 quota;
	int nr_periods, nr_throttled;
	u64 throttled_time;
} SLICE;

struct task_group { /* CONFIG_CGROUP_SCHED; what cpu.stat tells, of either version */
	struct cgroup_subsys_state css;
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth; /* CONFIG_CFS_BANDWIDTH */
} SLICE;

struct irqaction {
	const char *name;
} SLICE;

struct io_ring_ctx;
struct mm_struct; /* its counters differ: probes/memory/rss.bpf.h */
struct bpf_local_storage;

struct return_instance {              /* a function that a probe at its return waits for */
	unsigned long stack;          /* where its return address was */
	unsigned long orig_ret_vaddr; /* which was that */
	struct return_instance *next;
} SLICE;

struct uprobe_task {
	struct return_instance *return_instances;
	unsigned long vaddr, xol_vaddr; /* the instruction that runs elsewhere, and where */
} SLICE;

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
	struct task_group *sched_task_group;
	struct mm_struct *mm;
	struct uprobe_task *utask;
} SLICE;

struct linux_binprm {
	struct file *file;  /* the program's, or its interpreter's */
	const char *fdpath; /* name made for execveat of a descriptor; else NULL */
} SLICE;

struct io_cqe {
	u64 user_data;
	s32 res;
} SLICE;

struct io_kiocb {
	u8 opcode;
	struct file *file;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
} SLICE;

struct block_device_operations {
	void *submit_bio; /* NULL: the device takes requests */
} SLICE;

struct gendisk {
	int major, first_minor;
	char disk_name[32];
	struct block_device_operations *fops;
} SLICE;

struct block_device {
	struct gendisk *bd_disk;
} SLICE;

struct bvec_iter {
	unsigned int bi_size;
} SLICE;

struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	u32 bi_opf;
	u8 bi_status;
	struct bvec_iter bi_iter;
} SLICE;

struct request {
	struct bio *bio;
	unsigned int __data_len;
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

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
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
#define LCB_F_READ 2
#define LCB_F_WRITE 4
#define LCB_F_RT 8
#define LCB_F_PERCPU 16
#define PF_MEMALLOC 0x800 /* is reclaiming memory */
#define CLONE_VM 0x100

#endif
