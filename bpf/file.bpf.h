/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a descriptor to its file (NULL: there is none any more), and what kind of file it is. */
#ifndef DWELL_FILE_BPF_H
#define DWELL_FILE_BPF_H

#include "kread.bpf.h"

static __always_inline struct file *file_of_fd(struct task_struct *task, __u32 fd)
{
	struct files_struct *files = KREAD_KNOWN(task, files);
	struct fdtable *table;
	struct pt_regs *slot; /* any struct that starts with a number as wide as a pointer */

	if (!files)
		return NULL;
	table = KREAD_KNOWN(files, fdt);
	if (fd >= KREAD_KNOWN(table, max_fds))
		return NULL;
	slot = (void *)(KREAD_KNOWN(table, fd) + fd);
	return (struct file *)KREAD(slot, r15);
}

#define MAJOR(dev) ((dev) >> 20)
static __always_inline bool is_tty(__u32 rdev)
{
	__u32 major = MAJOR(rdev);

	/* Documentation/admin-guide/devices.txt: tty, console, pty, serial */
	return major == 4 || major == 5 || (major >= 136 && major <= 143) || major == 3 ||
	       major == 204;
}

#endif
