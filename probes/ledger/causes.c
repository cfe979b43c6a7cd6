/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cause of a block by system call: what a thread waits for that sleeps inside it, and
 * which argument names the object. By name, so that it holds for every architecture; a
 * call that is not here blocks as `other` (or `disk` when the kernel says iowait).
 */
#include "causes.h"

#include <string.h>

#include "names.h"

static const struct {
	enum ledger_state state;
	enum cause_where where;
	const char *calls; /* names, separated by blanks */
} rules[] = {
	{ CAUSE_BY_FILE, WHERE_FD0,
	  "read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 sendfile "
	  "sendfile64 splice tee vmsplice copy_file_range ioctl close" },
	{ STATE_DISK, WHERE_FD0,
	  "fsync fdatasync sync_file_range syncfs getdents getdents64 fallocate ftruncate "
	  "ftruncate64 readahead fadvise64 fadvise64_64" },
	{ STATE_DISK, WHERE_NONE, "sync msync io_getevents io_pgetevents io_submit" },
	{ STATE_FUTEX, WHERE_FUTEX, "futex futex_wait futex_time64" },
	{ STATE_FUTEX, WHERE_NONE, "futex_waitv" }, /* on any of a list */
	{ STATE_SOCKET, WHERE_FD0,
	  "accept accept4 connect recvfrom recvmsg recvmmsg recvmmsg_time64 sendto sendmsg "
	  "sendmmsg recv send shutdown" },
	{ STATE_POLL, WHERE_NONE,
	  "poll ppoll ppoll_time64 select pselect6 pselect6_time64 _newselect epoll_wait "
	  "epoll_pwait epoll_pwait2 epoll_wait_old" },
	{ STATE_SLEEP, WHERE_NONE, "nanosleep clock_nanosleep clock_nanosleep_time64" },
	{ STATE_CHILD, WHERE_NONE, "wait4 waitid waitpid vfork clone clone3" },
	{ STATE_SIGNAL, WHERE_NONE,
	  "pause rt_sigsuspend sigsuspend rt_sigtimedwait rt_sigtimedwait_time64" },
	{ STATE_IPC, WHERE_NONE,
	  "msgrcv msgsnd ipc mq_timedreceive mq_timedsend "
	  "mq_timedreceive_time64 mq_timedsend_time64" },
	{ STATE_IPC, WHERE_SYSV, "semop semtimedop semtimedop_time64" },
	{ STATE_IPC, WHERE_FD0, "flock fcntl fcntl64" },
	{ STATE_IO_URING, WHERE_NONE, "io_uring_enter" },
};

static int compat_number(const char *name)
{
	for (int nr = 0; nr <= syscall_abi_max(ABI_I386); nr++) {
		const char *have = syscall_abi_name(ABI_I386, nr);

		if (have && !strcmp(have, name))
			return nr;
	}
	return -1;
}

static void fill(struct cause table[CAUSE_CALLS], int (*number)(const char *name))
{
	char name[32];

	for (int i = 0; i < CAUSE_CALLS; i++)
		table[i] = (struct cause){ .state = STATE_OTHER };
	for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++) {
		const char *at = rules[r].calls;

		while (*at) {
			size_t len = strcspn(at, " ");
			int nr;

			if (len < sizeof(name)) {
				memcpy(name, at, len);
				name[len] = '\0';
				nr = number(name);
				if (nr >= 0 && nr < CAUSE_CALLS)
					table[nr] =
						(struct cause){ rules[r].state, rules[r].where };
			}
			at += len + strspn(at + len, " ");
		}
	}
}

void causes_fill(struct cause_table *table)
{
	fill(table->native, syscall_number);
	fill(table->compat, compat_number);
}
