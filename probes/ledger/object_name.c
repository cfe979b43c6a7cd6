/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of what was waited on, from the records that object.bpf.h writes. */
#include "object_name.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct name_key { /* object.bpf.h */
	uint64_t a;
	uint32_t b, kind;
};

const char *object_kind_name(int kind)
{
	static const char *const names[] = {
		[OBJECT_NONE] = "none",         [OBJECT_FUTEX] = "futex",    [OBJECT_FILE] = "file",
		[OBJECT_PIPE] = "pipe",         [OBJECT_SOCKET] = "socket",  [OBJECT_TTY] = "tty",
		[OBJECT_KLOCK] = "kernel_lock", [OBJECT_SYSV] = "semaphore",
	};

	return kind >= 0 && kind <= OBJECT_SYSV ? names[kind] : "none";
}

size_t object_path(const struct object_name *name, char *out, size_t size)
{
	uint32_t len = name->len < OBJECT_NAME_LEN ? name->len : OBJECT_NAME_LEN;
	const char *parts[64];
	size_t n = 0, at = 0;

	for (uint32_t i = 0; i < len && n < 64;) {
		size_t part = strnlen(name->text + i, len - i);

		parts[n++] = name->text + i;
		i += (uint32_t)part + 1;
	}
	while (n--) {
		size_t part = strnlen(parts[n], (size_t)(name->text + len - parts[n]));
		/* a file that is in no directory (memfd, a socket of /proc) has a bare name */
		bool rooted = at || n || name->text[0] == '/';

		if (part == 1 && parts[n][0] == '/')
			continue;
		if (at + part + 2 > size)
			break;
		if (rooted || part)
			out[at++] = '/';
		memcpy(out + at, parts[n], part);
		at += part;
	}
	out[at] = '\0';
	return at;
}

static const char *inet_name(struct report *r, const struct object_name *n)
{
	const char *proto = n->protocol == IPPROTO_TCP   ? "tcp"
			    : n->protocol == IPPROTO_UDP ? "udp"
							 : "ip";
	const char *v6 = n->family == AF_INET6 ? "6" : "";
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];

	inet_ntop(n->family, n->laddr, local, sizeof(local));
	inet_ntop(n->family, n->raddr, remote, sizeof(remote));
	if (!n->rport)
		return report_printf(r, "%s%s %s:%u", proto, v6, local, n->lport);
	return report_printf(r, "%s%s %s:%u -> %s:%u", proto, v6, local, n->lport, remote,
			     n->rport);
}

static const char *socket_name(struct report *r, const struct object_key *key,
			       const struct object_name *n)
{
	char path[128];
	uint32_t len = n->len < 108 ? n->len : 108;

	if (n->family == AF_INET || n->family == AF_INET6)
		return inet_name(r, n);
	if (n->family != AF_UNIX)
		return report_printf(r, "socket:[%llu] family %u", key->a, n->family);
	if (!len)
		return report_printf(r, "unix socket:[%llu]", key->a);
	memcpy(path, n->text, len);
	path[len] = '\0';
	if (!path[0]) { /* the abstract name space */
		path[0] = '@';
		for (uint32_t i = 1; i < len; i++)
			path[i] = path[i] ? path[i] : '@';
	}
	return report_printf(r, "unix %s", path);
}

const char *object_name_make(struct report *r, struct probe *p, const struct object_key *key)
{
	struct name_key nkey = { key->a, key->b, key->kind };
	struct object_name name;
	char path[OBJECT_NAME_LEN + 64];
	bool named;

	if (key->kind == OBJECT_FUTEX)
		return report_printf(r, "0x%llx", key->a);
	if (key->kind == OBJECT_KLOCK)
		return report_printf(r, "0x%llx", key->a);
	if (key->kind == OBJECT_SYSV)
		return report_printf(r, "semaphore set %llu", key->a);
	if (key->kind == OBJECT_PIPE)
		return report_printf(r, "pipe:[%llu]", key->a);
	named = !bpf_map_lookup_elem(probe_map_fd(p, "ledger_names"), &nkey, &name);
	if (named && key->kind == OBJECT_SOCKET)
		return socket_name(r, key, &name);
	if (named) {
		object_path(&name, path, sizeof(path));
		return report_printf(r, "%s%s", name.cut ? "..." : "", *path ? path : "/");
	}
	return report_printf(r, "%s:[%llu] dev %u:%u", object_kind_name(key->kind), key->a,
			     key->b >> 20, key->b & 0xfffff);
}
