/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Operations of io_uring, booked on who submits them. */
#ifndef DWELL_SYSCALLS_URING_BPF_H
#define DWELL_SYSCALLS_URING_BPF_H

#include "count.bpf.h"

static __always_inline int count_uring(struct io_kiocb *req)
{
	struct target *t = target_current();
	struct rare_key key = { .abi = ABI_URING };

	if (!t)
		return 0;
	key.proc_id = t->proc_id;
	key.nr = TASK_READ(req, opcode);
	return rare_add(&key, 1);
}

SEC_TP("io_uring_submit_req")
int BPF_PROG(syscalls_uring_req, struct io_kiocb *req)
{
	return count_uring(req);
}

/* Its name before 6.3, ad1fe1b8a5b8 */
SEC_TP("io_uring_submit_sqe")
int BPF_PROG(syscalls_uring_sqe, struct io_kiocb *req)
{
	return count_uring(req);
}

#endif
