/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts from the kernel's BTF. Where the preempt count stands among the per-CPU variables:
 * the section .data..percpu lists each with its offset. The count is a variable of its own
 * (to 6.1 and from 6.15 on) or a member of pcpu_hot (64701838bf05, 6.2).
 */
#include "kernel_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long long variable_offset(const struct btf *btf, const struct btf_type *section,
				 const char *name)
{
	const struct btf_var_secinfo *v = btf_var_secinfos(section);

	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *t = btf__type_by_id(btf, v[i].type);

		if (t && !strcmp(btf__name_by_offset(btf, t->name_off), name))
			return v[i].offset;
	}
	return -1;
}

static long long member_offset(const struct btf *btf, const struct btf_type *t, const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_type *inner = btf__type_by_id(btf, m[i].type);
		long long base = btf_member_bit_offset(t, i) / 8, at;

		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			return base;
		if (!m[i].name_off || !*btf__name_by_offset(btf, m[i].name_off)) {
			at = inner && btf_is_composite(inner) ? member_offset(btf, inner, name)
							      : -1;
			if (at >= 0)
				return base + at;
		}
	}
	return -1;
}

static long long delta(const struct btf *btf)
{
	const struct btf_type *section, *hot;
	long long runqueues, count, member;
	int id = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);

	if (id < 0)
		return 0;
	section = btf__type_by_id(btf, id);
	runqueues = variable_offset(btf, section, "runqueues");
	count = variable_offset(btf, section, "__preempt_count");
	if (count < 0) {
		count = variable_offset(btf, section, "pcpu_hot");
		id = btf__find_by_name_kind(btf, "pcpu_hot", BTF_KIND_STRUCT);
		hot = id < 0 ? NULL : btf__type_by_id(btf, id);
		member = hot ? member_offset(btf, hot, "preempt_count") : -1;
		count = count < 0 || member < 0 ? -1 : count + member;
	}
	return runqueues < 0 || count < 0 ? 0 : count - runqueues;
}

#define TRACEPOINT_PREFIX "btf_trace_"

static struct facts {
	bool read;
	long long preempt_delta;
	bool rdonly_cast;
	bool stolen;
	int complete_args, multishot;
	char *names; /* of tracepoints, each ended by NUL, in one block */
	size_t size;
} facts;

static void take_tracepoints(const struct btf *btf)
{
	size_t prefix = strlen(TRACEPOINT_PREFIX), room = 0;

	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name;
		size_t len;

		if (!btf_is_typedef(t))
			continue;
		name = btf__name_by_offset(btf, t->name_off);
		if (strncmp(name, TRACEPOINT_PREFIX, prefix))
			continue;
		len = strlen(name + prefix) + 1;
		if (facts.size + len > room) {
			room = (facts.size + len) * 2;
			facts.names = realloc(facts.names, room);
			if (!facts.names)
				abort();
		}
		memcpy(facts.names + facts.size, name + prefix, len);
		facts.size += len;
	}
}

/* A tracepoint's type is a pointer to a function of (void *data, its arguments). */
static int tracepoint_args(const struct btf *btf, const char *typedef_name)
{
	int id = btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

	t = t ? btf__type_by_id(btf, t->type) : NULL;
	t = t && btf_is_ptr(t) ? btf__type_by_id(btf, t->type) : NULL;
	return t && btf_is_func_proto(t) ? btf_vlen(t) - 1 : 0;
}

/* A constant of an enum that has no name itself. */
static int enumerator(const struct btf *btf, const char *name)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const struct btf_enum *e;

		if (!btf_is_enum(t) || t->name_off)
			continue;
		e = btf_enum(t);
		for (int i = 0; i < btf_vlen(t); i++)
			if (!strcmp(btf__name_by_offset(btf, e[i].name_off), name))
				return e[i].val;
	}
	return -1;
}

/* CONFIG_PARAVIRT_TIME_ACCOUNTING and CONFIG_IRQ_TIME_ACCOUNTING each have a member for it. */
static bool has_stolen(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "rq", BTF_KIND_STRUCT);
	const struct btf_type *rq = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);

	return rq && (member_offset(btf, rq, "prev_steal_time_rq") >= 0 ||
		      member_offset(btf, rq, "prev_irq_time") >= 0);
}

static const struct facts *kernel_facts(void)
{
	struct btf *btf;

	if (facts.read)
		return &facts;
	facts.read = true;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return &facts;
	facts.preempt_delta = delta(btf);
	facts.rdonly_cast = btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	facts.stolen = has_stolen(btf);
	facts.complete_args = tracepoint_args(btf, TRACEPOINT_PREFIX "io_uring_complete");
	facts.multishot = enumerator(btf, "REQ_F_APOLL_MULTISHOT_BIT");
	take_tracepoints(btf);
	btf__free(btf); /* some megabytes, which loading the objects will want */
	return &facts;
}

bool kernel_btf_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

/* A trampoline to a function that every kernel has; what it says is what any other will. */
bool kernel_btf_can_fentry(void)
{
	static int answer = -1;
	const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K }, /* r0 = 0 */
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int prog, link;

	if (answer >= 0)
		return answer;
	answer = 0;
	opts.attach_btf_id = (__u32)libbpf_find_vmlinux_btf_id("vfs_fsync", BPF_TRACE_FENTRY);
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "dwell_try", "GPL", nothing, 2, &opts);
	link = prog < 0 ? -1 : bpf_raw_tracepoint_open(NULL, prog);
	answer = link >= 0;
	if (link >= 0)
		close(link);
	if (prog >= 0)
		close(prog);
	return answer;
}

long long kernel_btf_preempt_delta(void)
{
	return kernel_facts()->preempt_delta;
}

bool kernel_btf_has_rdonly_cast(void)
{
	return kernel_facts()->rdonly_cast;
}

bool kernel_btf_has_stolen(void)
{
	return kernel_facts()->stolen;
}

bool kernel_btf_has_tracepoint(const char *name)
{
	const struct facts *f = kernel_facts();

	for (size_t at = 0; at < f->size; at += strlen(f->names + at) + 1)
		if (!strcmp(f->names + at, name))
			return true;
	return false;
}

int kernel_btf_uring_complete_args(void)
{
	return kernel_facts()->complete_args;
}

int kernel_btf_uring_multishot(void)
{
	return kernel_facts()->multishot;
}
