/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who closes the last descriptor of a link waits until the kernel has detached it. A link whose
 * last holder is a file of bpffs is detached by a kernel thread (kernel/bpf/inode.c,
 * bpf_free_inode, bpf_link_put). So the links get names in a bpffs that is mounted nowhere and
 * that nobody else can see or reach: it goes when its descriptor does, at detach_end() or with
 * this process, however that ends, and every link with it. Where the kernel does not let us
 * (CAP_SYS_ADMIN is asked for), links are closed here and waited for.
 */
#include "detach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static int shelf = -1; /* the root of that bpffs */
static unsigned int names;

void detach_begin(void)
{
	int fs;

	if (shelf >= 0)
		return;
	fs = fsopen("bpf", FSOPEN_CLOEXEC);
	if (fs < 0)
		return;
	if (!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		shelf = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
}

static void shelve(int fd)
{
	char path[64];

	if (shelf < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%u", shelf, names++);
	bpf_obj_pin(fd, path); /* refused: the caller's close is the last one, and waits */
}

void detach_link(struct bpf_link *link)
{
	if (link)
		shelve(bpf_link__fd(link));
	bpf_link__destroy(link);
}

void detach_fd(int fd)
{
	shelve(fd);
	close(fd);
}

void detach_end(void)
{
	if (shelf >= 0)
		close(shelf);
	shelf = -1;
}
