/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tries every source of every probe, alone: load, attach, let go. Only what happened is
 * told; the advice follows from the errno and from the rights that dwell has.
 */
#include <errno.h>
#include <string.h>

#include "doctor.h"
#include "err.h"
#include "session.h"

#define KERNEL_ENOTSUPP 524 /* include/linux/errno.h: leaks out of bpf(), has no name here */

static const char *advice(const struct doctor *d, int err)
{
	switch (-err) {
	case 0:
		return NULL;
	case EPERM:
	case EACCES:
		return d->has_rights ? "refused although the rights are there: a seccomp filter, a "
				       "security module or the kernel's build forbids it"
				     : "run dwell as root, or see cap_bpf above";
	case ENOENT:
	case ESRCH:
		return "this kernel does not have the hook; the other sources do without it";
	case EOPNOTSUPP:
	case KERNEL_ENOTSUPP:
		return "this kernel is built without this kind of BPF program";
	case EINVAL:
		return "the kernel does not take the program; `dwell doctor --debug` says why";
	case ENOMEM:
	case ENOSPC:
	case E2BIG:
		return "not enough memory for the maps: see rlimit_memlock and the cgroup's limit";
	default:
		return "`dwell doctor --debug` shows what libbpf and the kernel say";
	}
}

static const char *errno_name(struct doctor *d, int err)
{
	const char *name = strerrorname_np(-err);

	return name ? name : report_printf(d->memory, "errno %d", -err);
}

static void try_probe(struct doctor *d, const struct probe_class *class, struct tried_probe *p)
{
	size_t n = 0;

	while (class->sources[n].name)
		n++;
	*p = (struct tried_probe){ .name = class->name, .summary = class->summary, .nsources = n };
	p->sources = report_alloc(d->memory, (n ? n : 1) * sizeof(*p->sources));
	for (size_t i = 0; i < n; i++) {
		struct tried_source *t = &p->sources[i];
		struct source_attempt attempt = {};
		int err = session_try_source(class, &class->sources[i], &attempt);

		t->name = class->sources[i].name;
		t->key = class->sources[i].hash ? "address" : "task";
		t->ok = !err;
		if (!err && !p->chosen)
			p->chosen = t->name;
		if (!err)
			continue;
		t->error = errno_name(d, err);
		t->text = report_printf(d->memory, "%s", strerror(-err));
		t->what = report_printf(d->memory, "%s", attempt.what ? attempt.what : "open");
		t->advice = advice(d, err);
	}
	err_clear(); /* each failure is told in its row */
}

void doctor_probes(struct doctor *d)
{
	size_t n = 1;

	while (probe_classes[n - 1])
		n++;
	d->nprobes = n;
	d->probes = report_alloc(d->memory, n * sizeof(*d->probes));
	try_probe(d, &target_class, &d->probes[0]);
	for (size_t i = 1; i < n; i++)
		try_probe(d, probe_classes[i - 1], &d->probes[i]);
	d->ok = true;
	for (size_t i = 0; i < n; i++)
		d->ok &= d->probes[i].chosen != NULL;
}
