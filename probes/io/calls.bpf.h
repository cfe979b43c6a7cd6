/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * I/O by system call. Called after the call has returned; the descriptor still names the file,
 * unless another thread has closed it since: then the call is one of kind `other`. close()
 * itself leaves nothing to look at.
 */
#ifndef DWELL_IO_CALLS_BPF_H
#define DWELL_IO_CALLS_BPF_H

#include "aio.bpf.h"
#include "move.bpf.h"

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

/* 1: the call read or wrote what is known to be no socket. */
static __always_inline int io_call(struct call_done *call)
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
		return io_on_file(call, IO_SEEK, call->ns);
	case __NR_fsync:
		return io_on_file(call, IO_FSYNC, io_sync_time(call));
	case __NR_fdatasync:
		return io_on_file(call, IO_FDATASYNC, io_sync_time(call));
	case __NR_syncfs:
	case __NR_sync_file_range:
		return io_on_file(call, IO_SYNC, call->ns);
	case __NR_sync:
	case __NR_msync:
		return io_plain(call, IO_SYNC, call->ns);
	case __NR_io_submit:
		return io_submitted(call);
	case __NR_io_getevents:
	case __NR_io_pgetevents:
		return io_reaped(call);
	}
	return 0;
}

#endif
