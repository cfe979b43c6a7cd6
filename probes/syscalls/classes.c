/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The class of each system call: one, by what the call does. By name, so that the list
 * holds on every architecture; it covers i386 and x32 too, and calls newer than the
 * headers of the build machine.
 *
 * Where a call could stand in two: what it acts on decides. Waiting on any descriptor
 * (poll, epoll) and io_uring are file_io, as read and write are on sockets too; locks and
 * wakeups between threads (futex, eventfd, pipe) are ipc; who may do what (chmod, setuid)
 * is security; scheduling and limits are process. `other` is for numbers that never did
 * anything on Linux.
 */
#include <stdlib.h>
#include <string.h>

#include "names.h"

struct class_row {
	const char *name;
	unsigned char class;
};

#define FILE_IO CLASS_FILE_IO
#define MEMORY CLASS_MEMORY
#define PROCESS CLASS_PROCESS
#define NETWORK CLASS_NETWORK
#define TIME CLASS_TIME
#define IPC CLASS_IPC
#define SECURITY CLASS_SECURITY
#define SIGNAL CLASS_SIGNAL
#define SYSTEM CLASS_SYSTEM
#define OTHER CLASS_OTHER

/* Sorted by name in byte order, for bsearch(); tests/unit/syscalls_names_test.c checks. */
/* clang-format off */
static const struct class_row class_rows[] = {
	{ "_llseek", FILE_IO }, { "_newselect", FILE_IO }, { "_sysctl", SYSTEM },
	{ "accept", NETWORK }, { "accept4", NETWORK }, { "access", FILE_IO }, { "acct", SYSTEM },
	{ "add_key", SECURITY }, { "adjtimex", TIME }, { "afs_syscall", OTHER },
	{ "alarm", TIME }, { "arch_prctl", PROCESS }, { "bdflush", SYSTEM }, { "bind", NETWORK },
	{ "bpf", SYSTEM }, { "break", OTHER }, { "brk", MEMORY }, { "cachestat", FILE_IO },
	{ "capget", SECURITY }, { "capset", SECURITY }, { "chdir", FILE_IO },
	{ "chmod", SECURITY }, { "chown", SECURITY }, { "chown32", SECURITY },
	{ "chroot", SECURITY }, { "clock_adjtime", TIME }, { "clock_adjtime64", TIME },
	{ "clock_getres", TIME }, { "clock_getres_time64", TIME }, { "clock_gettime", TIME },
	{ "clock_gettime64", TIME }, { "clock_nanosleep", TIME },
	{ "clock_nanosleep_time64", TIME }, { "clock_settime", TIME },
	{ "clock_settime64", TIME }, { "clone", PROCESS }, { "clone3", PROCESS },
	{ "close", FILE_IO }, { "close_range", FILE_IO }, { "connect", NETWORK },
	{ "copy_file_range", FILE_IO }, { "creat", FILE_IO }, { "create_module", SYSTEM },
	{ "delete_module", SYSTEM }, { "dup", FILE_IO }, { "dup2", FILE_IO }, { "dup3", FILE_IO },
	{ "epoll_create", FILE_IO }, { "epoll_create1", FILE_IO }, { "epoll_ctl", FILE_IO },
	{ "epoll_ctl_old", FILE_IO }, { "epoll_pwait", FILE_IO }, { "epoll_pwait2", FILE_IO },
	{ "epoll_wait", FILE_IO }, { "epoll_wait_old", FILE_IO }, { "eventfd", IPC },
	{ "eventfd2", IPC }, { "execve", PROCESS }, { "execveat", PROCESS }, { "exit", PROCESS },
	{ "exit_group", PROCESS }, { "faccessat", FILE_IO }, { "faccessat2", FILE_IO },
	{ "fadvise64", FILE_IO }, { "fadvise64_64", FILE_IO }, { "fallocate", FILE_IO },
	{ "fanotify_init", FILE_IO }, { "fanotify_mark", FILE_IO }, { "fchdir", FILE_IO },
	{ "fchmod", SECURITY }, { "fchmodat", SECURITY }, { "fchmodat2", SECURITY },
	{ "fchown", SECURITY }, { "fchown32", SECURITY }, { "fchownat", SECURITY },
	{ "fcntl", FILE_IO }, { "fcntl64", FILE_IO }, { "fdatasync", FILE_IO },
	{ "fgetxattr", FILE_IO }, { "file_getattr", FILE_IO }, { "file_setattr", FILE_IO },
	{ "finit_module", SYSTEM }, { "flistxattr", FILE_IO }, { "flock", FILE_IO },
	{ "fork", PROCESS }, { "fremovexattr", FILE_IO }, { "fsconfig", SYSTEM },
	{ "fsetxattr", FILE_IO }, { "fsmount", SYSTEM }, { "fsopen", SYSTEM },
	{ "fspick", SYSTEM }, { "fstat", FILE_IO }, { "fstat64", FILE_IO },
	{ "fstatat", FILE_IO }, { "fstatat64", FILE_IO }, { "fstatfs", FILE_IO },
	{ "fstatfs64", FILE_IO }, { "fsync", FILE_IO }, { "ftime", TIME },
	{ "ftruncate", FILE_IO }, { "ftruncate64", FILE_IO }, { "futex", IPC },
	{ "futex_requeue", IPC }, { "futex_time64", IPC }, { "futex_wait", IPC },
	{ "futex_waitv", IPC }, { "futex_wake", IPC }, { "futimesat", FILE_IO },
	{ "get_kernel_syms", SYSTEM }, { "get_mempolicy", MEMORY },
	{ "get_robust_list", PROCESS }, { "get_thread_area", PROCESS }, { "getcpu", PROCESS },
	{ "getcwd", FILE_IO }, { "getdents", FILE_IO }, { "getdents64", FILE_IO },
	{ "getegid", SECURITY }, { "getegid32", SECURITY }, { "geteuid", SECURITY },
	{ "geteuid32", SECURITY }, { "getgid", SECURITY }, { "getgid32", SECURITY },
	{ "getgroups", SECURITY }, { "getgroups32", SECURITY }, { "getitimer", TIME },
	{ "getpeername", NETWORK }, { "getpgid", PROCESS }, { "getpgrp", PROCESS },
	{ "getpid", PROCESS }, { "getpmsg", OTHER }, { "getppid", PROCESS },
	{ "getpriority", PROCESS }, { "getrandom", SYSTEM }, { "getresgid", SECURITY },
	{ "getresgid32", SECURITY }, { "getresuid", SECURITY }, { "getresuid32", SECURITY },
	{ "getrlimit", PROCESS }, { "getrusage", PROCESS }, { "getsid", PROCESS },
	{ "getsockname", NETWORK }, { "getsockopt", NETWORK }, { "gettid", PROCESS },
	{ "gettimeofday", TIME }, { "getuid", SECURITY }, { "getuid32", SECURITY },
	{ "getxattr", FILE_IO }, { "getxattrat", FILE_IO }, { "gtty", OTHER }, { "idle", OTHER },
	{ "init_module", SYSTEM }, { "inotify_add_watch", FILE_IO }, { "inotify_init", FILE_IO },
	{ "inotify_init1", FILE_IO }, { "inotify_rm_watch", FILE_IO }, { "io_cancel", FILE_IO },
	{ "io_destroy", FILE_IO }, { "io_getevents", FILE_IO }, { "io_pgetevents", FILE_IO },
	{ "io_pgetevents_time64", FILE_IO }, { "io_setup", FILE_IO }, { "io_submit", FILE_IO },
	{ "io_uring_enter", FILE_IO }, { "io_uring_register", FILE_IO },
	{ "io_uring_setup", FILE_IO }, { "ioctl", FILE_IO }, { "ioperm", SYSTEM },
	{ "iopl", SYSTEM }, { "ioprio_get", PROCESS }, { "ioprio_set", PROCESS }, { "ipc", IPC },
	{ "kcmp", PROCESS }, { "kexec_file_load", SYSTEM }, { "kexec_load", SYSTEM },
	{ "keyctl", SECURITY }, { "kill", SIGNAL }, { "landlock_add_rule", SECURITY },
	{ "landlock_create_ruleset", SECURITY }, { "landlock_restrict_self", SECURITY },
	{ "lchown", SECURITY }, { "lchown32", SECURITY }, { "lgetxattr", FILE_IO },
	{ "link", FILE_IO }, { "linkat", FILE_IO }, { "listen", NETWORK },
	{ "listmount", SYSTEM }, { "listns", SYSTEM }, { "listxattr", FILE_IO },
	{ "listxattrat", FILE_IO }, { "llistxattr", FILE_IO }, { "lock", OTHER },
	{ "lookup_dcookie", SYSTEM }, { "lremovexattr", FILE_IO }, { "lseek", FILE_IO },
	{ "lsetxattr", FILE_IO }, { "lsm_get_self_attr", SECURITY },
	{ "lsm_list_modules", SECURITY }, { "lsm_set_self_attr", SECURITY }, { "lstat", FILE_IO },
	{ "lstat64", FILE_IO }, { "madvise", MEMORY }, { "map_shadow_stack", MEMORY },
	{ "mbind", MEMORY }, { "membarrier", MEMORY }, { "memfd_create", MEMORY },
	{ "memfd_secret", MEMORY }, { "migrate_pages", MEMORY }, { "mincore", MEMORY },
	{ "mkdir", FILE_IO }, { "mkdirat", FILE_IO }, { "mknod", FILE_IO },
	{ "mknodat", FILE_IO }, { "mlock", MEMORY }, { "mlock2", MEMORY }, { "mlockall", MEMORY },
	{ "mmap", MEMORY }, { "mmap2", MEMORY }, { "modify_ldt", PROCESS }, { "mount", SYSTEM },
	{ "mount_setattr", SYSTEM }, { "move_mount", SYSTEM }, { "move_pages", MEMORY },
	{ "mprotect", MEMORY }, { "mpx", OTHER }, { "mq_getsetattr", IPC }, { "mq_notify", IPC },
	{ "mq_open", IPC }, { "mq_timedreceive", IPC }, { "mq_timedreceive_time64", IPC },
	{ "mq_timedsend", IPC }, { "mq_timedsend_time64", IPC }, { "mq_unlink", IPC },
	{ "mremap", MEMORY }, { "mseal", MEMORY }, { "msgctl", IPC }, { "msgget", IPC },
	{ "msgrcv", IPC }, { "msgsnd", IPC }, { "msync", MEMORY }, { "munlock", MEMORY },
	{ "munlockall", MEMORY }, { "munmap", MEMORY }, { "name_to_handle_at", FILE_IO },
	{ "nanosleep", TIME }, { "newfstatat", FILE_IO }, { "nfsservctl", SYSTEM },
	{ "nice", PROCESS }, { "oldfstat", FILE_IO }, { "oldlstat", FILE_IO },
	{ "oldolduname", SYSTEM }, { "oldstat", FILE_IO }, { "olduname", SYSTEM },
	{ "open", FILE_IO }, { "open_by_handle_at", FILE_IO }, { "open_tree", SYSTEM },
	{ "open_tree_attr", SYSTEM }, { "openat", FILE_IO }, { "openat2", FILE_IO },
	{ "pause", SIGNAL }, { "perf_event_open", SYSTEM }, { "personality", PROCESS },
	{ "pidfd_getfd", PROCESS }, { "pidfd_open", PROCESS }, { "pidfd_send_signal", SIGNAL },
	{ "pipe", IPC }, { "pipe2", IPC }, { "pivot_root", SYSTEM }, { "pkey_alloc", MEMORY },
	{ "pkey_free", MEMORY }, { "pkey_mprotect", MEMORY }, { "poll", FILE_IO },
	{ "ppoll", FILE_IO }, { "ppoll_time64", FILE_IO }, { "prctl", PROCESS },
	{ "pread64", FILE_IO }, { "preadv", FILE_IO }, { "preadv2", FILE_IO },
	{ "prlimit64", PROCESS }, { "process_madvise", MEMORY }, { "process_mrelease", MEMORY },
	{ "process_vm_readv", IPC }, { "process_vm_writev", IPC }, { "prof", OTHER },
	{ "profil", OTHER }, { "pselect6", FILE_IO }, { "pselect6_time64", FILE_IO },
	{ "ptrace", PROCESS }, { "putpmsg", OTHER }, { "pwrite64", FILE_IO },
	{ "pwritev", FILE_IO }, { "pwritev2", FILE_IO }, { "query_module", SYSTEM },
	{ "quotactl", SYSTEM }, { "quotactl_fd", SYSTEM }, { "read", FILE_IO },
	{ "readahead", FILE_IO }, { "readdir", FILE_IO }, { "readlink", FILE_IO },
	{ "readlinkat", FILE_IO }, { "readv", FILE_IO }, { "reboot", SYSTEM },
	{ "recv", NETWORK }, { "recvfrom", NETWORK }, { "recvmmsg", NETWORK },
	{ "recvmmsg_time64", NETWORK }, { "recvmsg", NETWORK }, { "remap_file_pages", MEMORY },
	{ "removexattr", FILE_IO }, { "removexattrat", FILE_IO }, { "rename", FILE_IO },
	{ "renameat", FILE_IO }, { "renameat2", FILE_IO }, { "request_key", SECURITY },
	{ "restart_syscall", SIGNAL }, { "rmdir", FILE_IO }, { "rseq", PROCESS },
	{ "rseq_slice_yield", PROCESS }, { "rt_sigaction", SIGNAL }, { "rt_sigpending", SIGNAL },
	{ "rt_sigprocmask", SIGNAL }, { "rt_sigqueueinfo", SIGNAL }, { "rt_sigreturn", SIGNAL },
	{ "rt_sigsuspend", SIGNAL }, { "rt_sigtimedwait", SIGNAL },
	{ "rt_sigtimedwait_time64", SIGNAL }, { "rt_tgsigqueueinfo", SIGNAL },
	{ "sched_get_priority_max", PROCESS }, { "sched_get_priority_min", PROCESS },
	{ "sched_getaffinity", PROCESS }, { "sched_getattr", PROCESS },
	{ "sched_getparam", PROCESS }, { "sched_getscheduler", PROCESS },
	{ "sched_rr_get_interval", PROCESS }, { "sched_rr_get_interval_time64", PROCESS },
	{ "sched_setaffinity", PROCESS }, { "sched_setattr", PROCESS },
	{ "sched_setparam", PROCESS }, { "sched_setscheduler", PROCESS },
	{ "sched_yield", PROCESS }, { "seccomp", SECURITY }, { "security", OTHER },
	{ "select", FILE_IO }, { "semctl", IPC }, { "semget", IPC }, { "semop", IPC },
	{ "semtimedop", IPC }, { "semtimedop_time64", IPC }, { "send", NETWORK },
	{ "sendfile", FILE_IO }, { "sendfile64", FILE_IO }, { "sendmmsg", NETWORK },
	{ "sendmsg", NETWORK }, { "sendto", NETWORK }, { "set_mempolicy", MEMORY },
	{ "set_mempolicy_home_node", MEMORY }, { "set_robust_list", PROCESS },
	{ "set_thread_area", PROCESS }, { "set_tid_address", PROCESS },
	{ "setdomainname", SYSTEM }, { "setfsgid", SECURITY }, { "setfsgid32", SECURITY },
	{ "setfsuid", SECURITY }, { "setfsuid32", SECURITY }, { "setgid", SECURITY },
	{ "setgid32", SECURITY }, { "setgroups", SECURITY }, { "setgroups32", SECURITY },
	{ "sethostname", SYSTEM }, { "setitimer", TIME }, { "setns", PROCESS },
	{ "setpgid", PROCESS }, { "setpriority", PROCESS }, { "setregid", SECURITY },
	{ "setregid32", SECURITY }, { "setresgid", SECURITY }, { "setresgid32", SECURITY },
	{ "setresuid", SECURITY }, { "setresuid32", SECURITY }, { "setreuid", SECURITY },
	{ "setreuid32", SECURITY }, { "setrlimit", PROCESS }, { "setsid", PROCESS },
	{ "setsockopt", NETWORK }, { "settimeofday", TIME }, { "setuid", SECURITY },
	{ "setuid32", SECURITY }, { "setxattr", FILE_IO }, { "setxattrat", FILE_IO },
	{ "sgetmask", SIGNAL }, { "shmat", IPC }, { "shmctl", IPC }, { "shmdt", IPC },
	{ "shmget", IPC }, { "shutdown", NETWORK }, { "sigaction", SIGNAL },
	{ "sigaltstack", SIGNAL }, { "signal", SIGNAL }, { "signalfd", SIGNAL },
	{ "signalfd4", SIGNAL }, { "sigpending", SIGNAL }, { "sigprocmask", SIGNAL },
	{ "sigreturn", SIGNAL }, { "sigsuspend", SIGNAL }, { "socket", NETWORK },
	{ "socketcall", NETWORK }, { "socketpair", NETWORK }, { "splice", FILE_IO },
	{ "ssetmask", SIGNAL }, { "stat", FILE_IO }, { "stat64", FILE_IO }, { "statfs", FILE_IO },
	{ "statfs64", FILE_IO }, { "statmount", SYSTEM }, { "statx", FILE_IO }, { "stime", TIME },
	{ "stty", OTHER }, { "swapoff", SYSTEM }, { "swapon", SYSTEM }, { "symlink", FILE_IO },
	{ "symlinkat", FILE_IO }, { "sync", FILE_IO }, { "sync_file_range", FILE_IO },
	{ "sync_file_range2", FILE_IO }, { "syncfs", FILE_IO }, { "sysfs", SYSTEM },
	{ "sysinfo", SYSTEM }, { "syslog", SYSTEM }, { "tee", FILE_IO }, { "tgkill", SIGNAL },
	{ "time", TIME }, { "timer_create", TIME }, { "timer_delete", TIME },
	{ "timer_getoverrun", TIME }, { "timer_gettime", TIME }, { "timer_gettime64", TIME },
	{ "timer_settime", TIME }, { "timer_settime64", TIME }, { "timerfd", TIME },
	{ "timerfd_create", TIME }, { "timerfd_gettime", TIME }, { "timerfd_gettime64", TIME },
	{ "timerfd_settime", TIME }, { "timerfd_settime64", TIME }, { "times", TIME },
	{ "tkill", SIGNAL }, { "truncate", FILE_IO }, { "truncate64", FILE_IO },
	{ "tuxcall", OTHER }, { "ugetrlimit", PROCESS }, { "ulimit", OTHER },
	{ "umask", SECURITY }, { "umount", SYSTEM }, { "umount2", SYSTEM }, { "uname", SYSTEM },
	{ "unlink", FILE_IO }, { "unlinkat", FILE_IO }, { "unshare", PROCESS },
	{ "uprobe", SYSTEM }, { "uretprobe", SYSTEM }, { "uselib", PROCESS },
	{ "userfaultfd", MEMORY }, { "ustat", FILE_IO }, { "utime", FILE_IO },
	{ "utimensat", FILE_IO }, { "utimensat_time64", FILE_IO }, { "utimes", FILE_IO },
	{ "vfork", PROCESS }, { "vhangup", SYSTEM }, { "vm86", PROCESS }, { "vm86old", PROCESS },
	{ "vmsplice", FILE_IO }, { "vserver", OTHER }, { "wait4", PROCESS },
	{ "waitid", PROCESS }, { "waitpid", PROCESS }, { "write", FILE_IO },
	{ "writev", FILE_IO },
};

static const char *const class_names[SYSCALL_CLASSES] = {
	[CLASS_FILE_IO] = "file_io",
	[CLASS_MEMORY] = "memory",
	[CLASS_PROCESS] = "process",
	[CLASS_NETWORK] = "network",
	[CLASS_TIME] = "time",
	[CLASS_IPC] = "ipc",
	[CLASS_SECURITY] = "security",
	[CLASS_SIGNAL] = "signal",
	[CLASS_SYSTEM] = "system",
	[CLASS_OTHER] = "other",
};
/* clang-format on */

static int class_row_compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct class_row *)row)->name);
}

enum syscall_class syscall_class(const char *name)
{
	const struct class_row *row;

	if (!name)
		return CLASS_OTHER;
	row = bsearch(name, class_rows, sizeof(class_rows) / sizeof(*class_rows),
		      sizeof(*class_rows), class_row_compare);
	return row ? row->class : CLASS_OTHER;
}

const char *syscall_class_name(enum syscall_class class)
{
	return class < SYSCALL_CLASSES ? class_names[class] : "other";
}
