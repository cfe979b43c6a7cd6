/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of /proc, parsed. Small reads into the caller's buffer, no allocation. */
#ifndef DWELL_PROC_READ_H
#define DWELL_PROC_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat { /* /proc/PID/stat */
	char comm[16];
	char state;
	pid_t ppid;
	uint32_t flags; /* PF_* */
	uint64_t min_flt, maj_flt;
	uint64_t cpu_ticks;                                       /* utime + stime */
	uint64_t awaited_min_flt, awaited_maj_flt, awaited_ticks; /* of children waited for */
	uint64_t threads;
	uint64_t start_ticks; /* since boot: with the PID, the identity of a process */
	uint64_t vsize;       /* bytes */
	uint64_t rss_pages;
	uint32_t processor;
};

struct proc_io { /* /proc/PID/io */
	uint64_t rchar, wchar, read_bytes, write_bytes;
};

struct psi_mem {
	float some_avg10, full_avg10;
};

/* At most size - 1 bytes of a file and a NUL. Length or -errno. */
ssize_t proc_read_file(const char *path, char *buf, size_t size);
/* The same without the newline at the end. */
ssize_t proc_read_line(const char *path, char *buf, size_t size);
/* 0 or -errno: -ESRCH or -ENOENT when the process is gone. */
int proc_stat_read(pid_t pid, struct proc_stat *s);
int proc_stat_parse(const char *text, struct proc_stat *s);
/* Of a process, with the children that it waited for. */
int proc_io_read(pid_t pid, struct proc_io *io);
/* /proc/PID/io or /proc/PID/task/TID/io. */
int proc_io_read_file(const char *path, struct proc_io *io);
/* CPU time of all threads, living and dead, in nanoseconds; from the process's CPU clock. */
int proc_cpu_ns(pid_t pid, uint64_t *ns);
/* Bytes of all interfaces but lo in the network namespace of pid (0: our own). */
int proc_net_read(pid_t pid, uint64_t *rx_bytes, uint64_t *tx_bytes);
int proc_net_parse(const char *text, uint64_t *rx_bytes, uint64_t *tx_bytes);
/* Inode of the network namespace of pid; 0 when we may not know. */
uint64_t proc_net_ns(pid_t pid);
/* "some avg10=… / full avg10=…" of a memory.pressure file. */
int psi_mem_read(const char *path, struct psi_mem *psi);
/* Directory of pid's own cgroup (v2, not the root). -ENOENT: it has none that we can see. */
int proc_cgroup2_dir(pid_t pid, char *path, size_t size);
/* Path of the memory.pressure of pid's own cgroup (v2, not the root). -ENOENT: it has none. */
int proc_psi_path(pid_t pid, char *path, size_t size);

#endif
