/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many uprobes on one file at once. Since 6.6 (89ae89f53d20) they are one link, which goes in
 * one step; before, each is a link of its own. libbpf knows of it from 1.3 on, so the system call
 * is made here.
 */
#ifndef DWELL_UPROBES_H
#define DWELL_UPROBES_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPROBES_MAX 64 /* of one call */

struct uprobes {
	struct bpf_program *prog; /* of section uprobe or uretprobe */
	bool at_return;
	size_t n;
	uint64_t offsets[UPROBES_MAX], cookies[UPROBES_MAX];
};

struct uprobe_links {
	struct bpf_link **links; /* one place each */
	size_t nlinks;
	int *fds; /* of links with many places */
	size_t nfds;
};

/* Before the load: says how the program will be attached. */
void uprobes_prepare(struct bpf_program *prog);
/* Attaches to each place of the file, whoever runs it. 0 or -errno; what was attached stays. */
int uprobes_attach(struct uprobe_links *links, const struct uprobes *u, const char *path);
void uprobes_detach(struct uprobe_links *links);

#endif
