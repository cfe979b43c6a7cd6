/* SPDX-License-Identifier: BSD-2-Clause */
/* Uprobes by one link where the kernel can; see uprobes.h. */
#include "uprobes.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "detach.h"
#include "err.h"
#include "kernel_btf.h"

/* include/uapi/linux/bpf.h, of 6.6 */
#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI */
#define UPROBE_MULTI_RETURN 1  /* BPF_F_UPROBE_MULTI_RETURN */

struct link_create_uprobes {
	uint32_t prog_fd, target_fd, attach_type, link_flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t n, flags, pid, pad;
};

static bool has_multi(void)
{
	static int known = -1; /* the engine lets go of the types once all is attached */

	if (known < 0)
		known = kernel_btf_function("bpf_uprobe_multi_link_attach") != 0;
	return known;
}

void uprobes_prepare(struct bpf_program *prog)
{
	if (has_multi())
		bpf_program__set_expected_attach_type(prog, ATTACH_UPROBE_MULTI);
}

static void *grown(void *list, size_t n, size_t size)
{
	void *larger = reallocarray(list, n + 1, size);

	if (!larger)
		abort();
	return larger;
}

static int attach_multi(struct uprobe_links *links, const struct uprobes *u, const char *path)
{
	struct link_create_uprobes attr = {
		.prog_fd = (uint32_t)bpf_program__fd(u->prog),
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)u->offsets,
		.cookies = (uintptr_t)u->cookies,
		.n = (uint32_t)u->n,
		.flags = u->at_return ? UPROBE_MULTI_RETURN : 0,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	links->fds = grown(links->fds, links->nfds, sizeof(*links->fds));
	links->fds[links->nfds++] = (int)fd;
	return 0;
}

static int attach_one(struct uprobe_links *links, const struct uprobes *u, const char *path,
		      size_t i)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = u->at_return, .bpf_cookie = u->cookies[i]);
	struct bpf_link *link =
		bpf_program__attach_uprobe_opts(u->prog, -1, path, u->offsets[i], &opts);

	if (!link)
		return -errno;
	links->links = grown(links->links, links->nlinks, sizeof(struct bpf_link *));
	links->links[links->nlinks++] = link;
	return 0;
}

int uprobes_attach(struct uprobe_links *links, const struct uprobes *u, const char *path)
{
	int err = 0;

	if (!u->n)
		return 0;
	if (has_multi())
		return attach_multi(links, u, path);
	for (size_t i = 0; i < u->n && !err; i++)
		err = attach_one(links, u, path, i);
	return err;
}

void uprobes_detach(struct uprobe_links *links)
{
	for (size_t i = 0; i < links->nlinks; i++)
		detach_link(links->links[i]);
	for (size_t i = 0; i < links->nfds; i++)
		detach_fd(links->fds[i]);
	free(links->links);
	free(links->fds);
	*links = (struct uprobe_links){ 0 };
}
