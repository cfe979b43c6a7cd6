/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts from the kernel's BTF. Where the preempt count stands among the per-CPU variables:
 * the section .data..percpu lists each with its offset. The count is a variable of its own
 * (to 6.1 and from 6.15 on) or a member of pcpu_hot (64701838bf05, 6.2).
 */
#include "kernel_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "raw_btf.h"

static struct raw_btf kernel;
static bool is_open, is_absent;

const struct raw_btf *kernel_btf(void)
{
	if (!is_open && !is_absent) {
		is_open = !raw_btf_open(&kernel, "/sys/kernel/btf/vmlinux");
		is_absent = !is_open;
	}
	return &kernel; /* empty when it is absent: nothing is found */
}

void kernel_btf_release(void)
{
	if (is_open)
		raw_btf_close(&kernel);
	is_open = false;
}

static const struct btf_type *type_named(const char *name, uint32_t kind)
{
	const struct raw_btf *btf = kernel_btf();

	return raw_btf_type(btf, raw_btf_find(btf, name, kind));
}

static bool is_called(const struct raw_btf *btf, const struct btf_type *t, const char *name)
{
	return t && !strcmp(raw_btf_string(btf, t->name_off), name);
}

static long long variable_offset(const struct raw_btf *btf, const struct btf_type *section,
				 const char *name)
{
	const struct btf_var_secinfo *v = btf_var_secinfos(section);

	for (int i = 0; i < btf_vlen(section); i++)
		if (is_called(btf, raw_btf_type(btf, v[i].type), name))
			return v[i].offset;
	return -1;
}

static long long member_offset(const struct raw_btf *btf, const struct btf_type *t,
			       const char *name)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_type *inner = raw_btf_type(btf, m[i].type);
		const char *is = raw_btf_string(btf, m[i].name_off);
		long long base = btf_member_bit_offset(t, i) / 8, at;

		if (!strcmp(is, name))
			return base;
		at = !*is && inner && btf_is_composite(inner) ? member_offset(btf, inner, name)
							      : -1;
		if (at >= 0)
			return base + at;
	}
	return -1;
}

static long long preempt_delta(const struct raw_btf *btf)
{
	const struct btf_type *section = type_named(".data..percpu", BTF_KIND_DATASEC), *hot;
	long long runqueues, count, member;

	if (!section)
		return 0;
	runqueues = variable_offset(btf, section, "runqueues");
	count = variable_offset(btf, section, "__preempt_count");
	if (count < 0) {
		count = variable_offset(btf, section, "pcpu_hot");
		hot = type_named("pcpu_hot", BTF_KIND_STRUCT);
		member = hot ? member_offset(btf, hot, "preempt_count") : -1;
		count = count < 0 || member < 0 ? -1 : count + member;
	}
	return runqueues < 0 || count < 0 ? 0 : count - runqueues;
}

static struct facts {
	bool read;
	long long preempt_delta;
	bool stolen;
	int complete_args, multishot;
} facts;

/* A tracepoint's type is a pointer to a function of (void *data, its arguments). */
static int tracepoint_args(const struct raw_btf *btf, const char *name)
{
	const struct btf_type *t = raw_btf_type(btf, kernel_btf_tracepoint(name));

	t = t ? raw_btf_type(btf, t->type) : NULL;
	t = t && btf_is_ptr(t) ? raw_btf_type(btf, t->type) : NULL;
	return t && btf_is_func_proto(t) ? btf_vlen(t) - 1 : 0;
}

/* A constant of an enum that has no name itself. */
static int enumerator(const struct raw_btf *btf, const char *name)
{
	for (uint32_t id = 1; id <= btf->count; id++) {
		const struct btf_type *t = raw_btf_type(btf, id);
		const struct btf_enum *e;

		if (!btf_is_enum(t) || t->name_off)
			continue;
		e = btf_enum(t);
		for (int i = 0; i < btf_vlen(t); i++)
			if (!strcmp(raw_btf_string(btf, e[i].name_off), name))
				return e[i].val;
	}
	return -1;
}

/* CONFIG_PARAVIRT_TIME_ACCOUNTING and CONFIG_IRQ_TIME_ACCOUNTING each have a member for it. */
static bool has_stolen(const struct raw_btf *btf)
{
	const struct btf_type *rq = type_named("rq", BTF_KIND_STRUCT);

	return rq && (member_offset(btf, rq, "prev_steal_time_rq") >= 0 ||
		      member_offset(btf, rq, "prev_irq_time") >= 0);
}

/* What is asked for when the BTF is no longer at hand. */
static const struct facts *kernel_facts(void)
{
	const struct raw_btf *btf;

	if (facts.read)
		return &facts;
	btf = kernel_btf();
	facts = (struct facts){
		.read = true,
		.preempt_delta = preempt_delta(btf),
		.stolen = has_stolen(btf),
		.complete_args = tracepoint_args(btf, "io_uring_complete"),
		.multishot = enumerator(btf, "REQ_F_APOLL_MULTISHOT_BIT"),
	};
	return &facts;
}

uint32_t kernel_btf_function(const char *name)
{
	return raw_btf_find(kernel_btf(), name, BTF_KIND_FUNC);
}

uint32_t kernel_btf_tracepoint(const char *name)
{
	char type[128];
	int n = snprintf(type, sizeof(type), "btf_trace_%s", name);

	return n < (int)sizeof(type) ? raw_btf_find(kernel_btf(), type, BTF_KIND_TYPEDEF) : 0;
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
	opts.attach_btf_id = kernel_btf_function("vfs_fsync");
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

bool kernel_btf_has_stolen(void)
{
	return kernel_facts()->stolen;
}

int kernel_btf_uring_complete_args(void)
{
	return kernel_facts()->complete_args;
}

int kernel_btf_uring_multishot(void)
{
	return kernel_facts()->multishot;
}
