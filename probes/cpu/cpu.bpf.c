// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * cpu: what took the CPU from a target while it ran, and which quotas it was under.
 *
 * Hooks: irq_handler_entry/exit, softirq_entry/exit, x86's vectors for the local timer,
 *        rescheduling, function calls and irq_work; sched_process_exec and _exit,
 *        cgroup_attach_task (quotas); sched_migrate_task where there are several NUMA nodes.
 *        Cost: see docs/benchmarks.md; nothing at a switch or a system call.
 * Keeps: cpu_slots by process, cpu_devices and cpu_groups of the tree.
 *
 * An interrupt is charged to whom it interrupted: not caused, suffered. Hard interrupts do not
 * nest in each other, nor do softirqs; a hard one in a softirq has its time taken off that.
 * Softirqs may come with each packet: --sample-interval samples them.
 * Limits: NMIs and x86's rarer vectors are not counted. On a PREEMPT_RT kernel a softirq can
 * be preempted, and its time has that in it. Before 6.2 an interrupt that comes while another
 * program looks up task storage on the same CPU is not counted, some nanoseconds a call.
 */
#include "cpu.h"
#include "kread.bpf.h"
#include "running.bpf.h"
#include "slot.bpf.h"

const volatile struct cpu_cfg cpu_cfg SEC(".rodata.cpu");

SLOT_MAP(cpu_slots, struct cpu_slot);

/* The interrupts of a target that this CPU is in. */
struct cpu_now {
	__u64 hard_ns;    /* since when it is in a hard one; 0: in none */
	__u64 hard_total; /* time in hard ones so far */
	__u64 soft_at;    /* cpu_clock() at the softirq's begin */
	__u64 weight;     /* the softirq stands for so many; 0: in none */
	struct slot_owner who;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_now);
} cpu_nows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct cpu_device_key);
	__type(value, struct cpu_device);
} cpu_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, struct cpu_group);
} cpu_groups SEC(".maps");

/* ---- interrupts ---- */

static __always_inline struct cpu_now *cpu_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_nows, &zero);
}

static __always_inline int cpu_hard_begin(void)
{
	struct slot_owner who = running_owner();
	struct cpu_now *c = who.proc_id ? cpu_now() : NULL;

	if (!c)
		return 0;
	c->who = who;
	c->hard_ns = bpf_ktime_get_ns();
	return 0;
}

/* What the interrupt took; 0: it was none of a target's. */
static __always_inline __u64 cpu_hard_end(__u32 vector)
{
	struct cpu_now *c = cpu_now();
	struct cpu_slot *s;
	__u64 ns;

	if (!c || !c->hard_ns)
		return 0;
	ns = bpf_ktime_get_ns() - c->hard_ns;
	c->hard_ns = 0;
	c->hard_total += ns;
	s = SLOT_OWNED(cpu_slots, &c->who);
	if (s) {
		slot_add(&s->hard_count[vector], 1);
		slot_add(&s->hard_ns[vector], ns);
		slot_max(&s->hard_longest, ns);
	}
	return ns ? ns : 1;
}

/*
 * The clock without the time of hard interrupts. One may come between the two readings, each
 * of which is then of another moment: again.
 */
static __always_inline __u64 cpu_clock(struct cpu_now *c)
{
	__u64 now = 0, total = 0;

	for (int i = 0; i < 4; i++) {
		total = *(volatile __u64 *)&c->hard_total;
		now = bpf_ktime_get_ns();
		if (total == *(volatile __u64 *)&c->hard_total)
			break;
	}
	return now - total;
}

SEC_TP("softirq_entry")
int BPF_PROG(cpu_soft_entry, unsigned int nr)
{
	struct slot_owner who = running_owner();
	__u32 weight = who.proc_id ? sample_weight(SAMPLE_SOFTIRQ) : 0;
	struct cpu_now *c = weight ? cpu_now() : NULL;

	if (!c)
		return 0;
	c->who = who;
	c->weight = weight;
	c->soft_at = cpu_clock(c);
	return 0;
}

SEC_TP("softirq_exit")
int BPF_PROG(cpu_soft_exit, unsigned int nr)
{
	struct cpu_now *c = cpu_now();
	struct cpu_slot *s;
	__u64 ns, weight;

	if (!c || !c->weight)
		return 0;
	ns = cpu_clock(c) - c->soft_at;
	weight = c->weight;
	c->weight = 0;
	s = SLOT_OWNED(cpu_slots, &c->who);
	if (!s || nr >= CPU_SOFTIRQS)
		return 0;
	slot_add(&s->soft_count[nr], weight);
	slot_add(&s->soft_ns[nr], ns * weight);
	slot_max(&s->soft_longest, ns);
	return 0;
}

SEC_TP("irq_handler_entry")
int BPF_PROG(cpu_device_entry)
{
	return cpu_hard_begin();
}

static __noinline int cpu_device_add(__u32 irq, struct irqaction *action, __u64 ns)
{
	struct cpu_device_key key = { .action = (__u64)action, .irq = irq };
	struct cpu_device *d = bpf_map_lookup_elem(&cpu_devices, &key);

	if (!d) {
		struct cpu_device fresh = {};

		bpf_probe_read_kernel_str(fresh.name, sizeof(fresh.name), KREAD(action, name));
		bpf_map_update_elem(&cpu_devices, &key, &fresh, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&cpu_devices, &key);
	}
	if (!d) { /* full: the row `other` is what the processes have more than the table */
		counter_add(COUNTER_OTHER_DEVICE);
		return 0;
	}
	__sync_fetch_and_add(&d->count, 1);
	__sync_fetch_and_add(&d->ns, ns);
	return 0;
}

SEC_TP("irq_handler_exit")
int BPF_PROG(cpu_device_exit, int irq, struct irqaction *action)
{
	__u64 ns = cpu_hard_end(VECTOR_DEVICE);

	return ns ? cpu_device_add(irq, action, ns) : 0;
}

/* x86's vectors: arch/x86/include/asm/trace/irq_vectors.h */
#define CPU_VECTOR(event, vector)                                                                  \
	SEC_TP(#event "_entry")                                                                    \
	int BPF_PROG(cpu_##event##_entry)                                                          \
	{                                                                                          \
		return cpu_hard_begin();                                                           \
	}                                                                                          \
	SEC_TP(#event "_exit")                                                                     \
	int BPF_PROG(cpu_##event##_exit)                                                           \
	{                                                                                          \
		cpu_hard_end(vector);                                                              \
		return 0;                                                                          \
	}

CPU_VECTOR(local_timer, VECTOR_LOCAL_TIMER)
CPU_VECTOR(reschedule, VECTOR_RESCHEDULE)
CPU_VECTOR(call_function, VECTOR_CALL_FUNCTION)
CPU_VECTOR(call_function_single, VECTOR_CALL_FUNCTION_SINGLE)
CPU_VECTOR(irq_work, VECTOR_IRQ_WORK)

/* ---- quotas ---- */

#define GROUP_LEVELS 16
#define RUNTIME_INF (~0ULL) /* kernel/sched/sched.h: no quota */

/* Counters only grow; who comes late with an older reading does not set them back. */
static __always_inline void group_update(struct cpu_group *g, struct task_group *tg)
{
	__u32 periods = KREAD(tg, cfs_bandwidth.nr_periods);
	__u32 throttled = KREAD(tg, cfs_bandwidth.nr_throttled);
	__u64 ns = KREAD(tg, cfs_bandwidth.throttled_time);

	g->quota_ns = KREAD(tg, cfs_bandwidth.quota);
	g->period_ns = KREAD(tg, cfs_bandwidth.period);
	if (periods > g->periods)
		g->periods = periods;
	if (throttled > g->throttled)
		g->throttled = throttled;
	if (ns > g->throttled_ns)
		g->throttled_ns = ns;
}

/*
 * Functions that are not static are checked once by the verifier, not at each call; their
 * arguments are then numbers or memory of the program's own.
 */
__noinline int cpu_group_note(__u64 group)
{
	struct task_group *tg = (struct task_group *)group;
	struct cgroup *cgroup = KREAD(tg, css.cgroup);
	struct kernfs_node *node = KREAD(cgroup, kn);
	struct cpu_group *g, fresh = {};
	__u64 id;

	if (KREAD(tg, cfs_bandwidth.quota) == RUNTIME_INF)
		return 0;
	id = KREAD(node, id);
	g = bpf_map_lookup_elem(&cpu_groups, &id);
	if (g) {
		group_update(g, tg);
		return 0;
	}
	group_update(&fresh, tg);
	fresh.first_periods = fresh.periods;
	fresh.first_throttled = fresh.throttled;
	fresh.first_throttled_ns = fresh.throttled_ns;
	bpf_probe_read_kernel_str(fresh.name, sizeof(fresh.name), KREAD(node, name));
	bpf_map_update_elem(&cpu_groups, &id, &fresh, BPF_NOEXIST);
	if (!bpf_map_lookup_elem(&cpu_groups, &id))
		counter_add(COUNTER_LOST_QUOTA);
	return 0;
}

/* Takes down each group with a quota that holds for the task. */
static __always_inline void cpu_note_groups(task_ref task)
{
	struct task_group *tg = NULL;
	__u64 group = 0;

	if (!bpf_core_field_exists(task->sched_task_group) ||
	    !bpf_core_field_exists(tg->cfs_bandwidth))
		return;
	/* read by helper, as what a load gives is to the verifier a pointer and no number */
	BPF_CORE_READ_INTO(&group, task, sched_task_group);
	for (int i = 0; i < GROUP_LEVELS && group; i++) {
		cpu_group_note(group);
		tg = (struct task_group *)group;
		BPF_CORE_READ_INTO(&group, tg, parent);
	}
}

static __always_inline int cpu_note_current(void)
{
	if (target_current())
		cpu_note_groups(bpf_get_current_task_btf());
	return 0;
}

SEC_TP("sched_process_exec")
int BPF_PROG(cpu_exec)
{
	return cpu_note_current();
}

SEC_TP("sched_process_exit")
int BPF_PROG(cpu_exit)
{
	return cpu_note_current();
}

/* A process was moved to another group. */
SEC_TP("cgroup_attach_task")
int BPF_PROG(cpu_regroup, struct cgroup *to, const char *path, struct task_struct *task)
{
	if (target_of(task))
		cpu_note_groups(task);
	return 0;
}

static __always_inline int cpu_note_living(struct task_struct *task)
{
	if (task && target_of(task))
		cpu_note_groups(task);
	return 0;
}

/* Living threads: at the attach, and as a report is made. */
SEC("iter/task")
int cpu_seed(struct bpf_iter__task *ctx)
{
	return cpu_note_living(ctx->task);
}

SEC("iter/task")
int cpu_live(struct bpf_iter__task *ctx)
{
	return cpu_note_living(ctx->task);
}

/* ---- NUMA ---- */

static __always_inline __u32 cpu_node(__u32 cpu)
{
	return cpu_cfg.node[cpu & (CPU_NODE_CPUS - 1)];
}

/* Before the move: the task is on its old CPU still. */
SEC_TP("sched_migrate_task")
int BPF_PROG(cpu_migrate, struct task_struct *task, int to)
{
	struct target *t = target_of(task);
	struct cpu_slot *s;

	if (!t || cpu_node(TASK_READ(task, thread_info.cpu)) == cpu_node(to))
		return 0;
	s = SLOT_OF(cpu_slots, t);
	if (s)
		slot_add(&s->node_migrations, 1);
	return 0;
}
