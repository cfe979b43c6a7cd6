/* SPDX-License-Identifier: BSD-2-Clause */
/* The trust block; see trust.h. Each kind of loss has its name and meaning here, once. */
#include "trust.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct loss {
	enum counter counter;
	const char *name, *help;
};

static const struct loss losses[] = {
	{ COUNTER_LOST_TARGET, "threads_not_followed", "no memory to follow a new thread" },
	{ COUNTER_LOST_LEDGER, "threads_without_account", "no memory for a thread's account" },
	{ COUNTER_UNTOLD_END, "ends_without_account",
	  "a thread ended that had no account: its time is missing" },
	{ COUNTER_LOST_BIRTH, "births_not_told",
	  "ring full: a process may lack its parent and name" },
	{ COUNTER_LOST_EXEC, "execs_not_told", "ring full: a process may show its former name" },
	{ COUNTER_LOST_EXIT, "exits_not_told", "ring full: a process may lack its exit status" },
	{ COUNTER_SPILLED_FINAL, "threads_in_totals_only",
	  "ring full: a thread's account stands in the tree's totals, not in a row" },
	{ COUNTER_LOST_HIST, "percentiles_lost", "a histogram could not be handed back" },
	{ COUNTER_LOST_SYSCALLS, "syscalls_lost",
	  "table syscalls_rare full: a call stands in the tree's totals, without its name" },
	{ COUNTER_LOST_ERRNO, "errnos_lost",
	  "errno table full: an error is counted without its errno" },
	{ COUNTER_LOST_CALL_TIME, "calls_not_timed",
	  "--syscall-latency, --io-latency: no memory for a thread: its call has no time" },
	{ COUNTER_LOST_QUOTA, "quotas_lost", "a control group with a CPU quota is not told of" },
	{ COUNTER_LOST_SOCKET, "connections_not_followed",
	  "no memory for a TCP socket: its segments, RTT and end are missing" },
	{ COUNTER_LOST_CONNECT, "connect_errnos_lost",
	  "errno table full: a failed connect is counted without its errno" },
	{ COUNTER_LOST_MESSAGE, "message_lengths_lost",
	  "sendmmsg or recvmmsg: the length of a message could not be read back" },
	{ COUNTER_LOST_IO_REQUEST, "requests_not_timed",
	  "too many requests to block devices in flight: one is counted without its latency" },
	{ COUNTER_LOST_PAIR, "lock_orders_lost",
	  "--lock-order: table full: a pair of locks is not known by its order" },
	{ COUNTER_LOST_MM, "address_spaces_lost",
	  "table memory_mms full: resident memory and its peak lack an address space" },
	{ COUNTER_LOST_OOM, "oom_kills_not_told", "ring full: an OOM kill is counted, not listed" },
	{ COUNTER_LOST_STACKS_FILE, "code_files_not_kept",
	  "table stacks_files full: code of a file has addresses, no names" },
	{ COUNTER_LOST_MAPS, "processes_without_code",
	  "table stacks_maps full: the stacks of a process are not taken" },
	{ COUNTER_LOST_MAPPING, "code_mappings_lost",
	  "a process has more code mapped than is kept: stacks end "
	  "there" },
	{ COUNTER_LOST_STACK, "stacks_not_kept",
	  "table stacks_seen full: a sample is counted without its stack" },
	{ COUNTER_LOST_STACK_COPY, "stacks_cut",
	  "ring full, or mappings changed meanwhile: a stack ends at a file whose unwind table was "
	  "not made yet" },
	{ COUNTER_BUSY_STACK, "stacks_not_taken",
	  "a stack was not taken, as one was being taken on that CPU" },
	{ COUNTER_LOST_SAMPLE, "stack_samples_lost",
	  "table of stacks full or busy: a sample is missing, the others stand for its time" },
	{ COUNTER_LOST_STACK_BODY, "stacks_not_told",
	  "ring full, or too many different stacks: a sample is counted, but its stack or a part "
	  "of it is not known" },
	{ COUNTER_LOST_PLACE, "places_not_named",
	  "too many places in code: further ones are called [too many places to name]" },
	{ COUNTER_LOST_JIT, "jit_code_not_kept",
	  "too much code made at run time: some of it has addresses, no names" },
	{ COUNTER_LOST_CODE_FILE, "code_files_not_read",
	  "a file with code could not be read, was gone before it was opened, or has too many "
	  "functions: places in it have no names" },
	{ COUNTER_LOST_TABLE, "unwind_tables_lost",
	  "no room for a file's unwind table (--limit stacks_pages, stacks_blocks), or it is "
	  "damaged: stacks end in that file" },
	{ COUNTER_LOST_INLINED, "inlined_functions_lost",
	  "--inline: a file's debug information is too large, too deep or damaged: some of its "
	  "inlined functions and lines are missing" },
	{ COUNTER_LOST_KERNEL_NAME, "kernel_names_lost",
	  "no room for a function of the kernel: its code has an address, or an earlier one's name" },
	{ COUNTER_LOST_ROOT, "root_directories_lost",
	  "too many root directories (containers): the debug files and perf maps of a file or "
	  "process are not looked for in its own" },
	{ COUNTER_LOST_PYTHON_CODE, "python_frames_unnamed",
	  "a Python function could not be read, or the ring was full: a frame has no name" },
	{ COUNTER_LOST_PYTHON_READ, "python_functions_unread",
	  "a Python function's name was not in memory, and its process had ended before it was "
	  "read: its frames have no name" },
	{ COUNTER_LOST_PYTHON_BODY, "python_functions_lost",
	  "no room for more Python functions: their frames have no name" },
	{ COUNTER_LOST_BLOCK, "blocks_lost",
	  "--alloc: table memory_blocks full: whether a block was freed is not known" },
	{ COUNTER_LOST_CALL, "allocator_calls_lost",
	  "--alloc: no room for a thread: a call of the malloc family, or who mapped memory, is "
	  "not counted" },
	{ COUNTER_LOST_CHANGE, "mappings_not_told",
	  "--alloc: ring full: a mapping, or its end, is not counted" },
	{ COUNTER_TORN, "torn_reads", "a living thread's record kept changing while it was read" },
};

/* Tables are bounded by design: what is beyond stands in totals and in rows named other. */
static const struct loss folds[] = {
	{ COUNTER_SHARED_HIST, "percentiles_shared",
	  "no histogram left: a thread's state has percentiles in the tree only" },
	{ COUNTER_OTHER_OBJECT, "objects_in_other",
	  "object table full: times stand in the row other" },
	{ COUNTER_LOST_NAME, "objects_unnamed", "name table full: an object is shown by number" },
	{ COUNTER_OTHER_WAKER, "wakers_in_other",
	  "waker table full: times stand in the row other" },
	{ COUNTER_OTHER_IO_FILE, "io_calls_in_other",
	  "file table full: calls stand in the row other of io's files" },
	{ COUNTER_OTHER_IO_DEVICE, "requests_in_other",
	  "device table full: requests stand in the row other of io's devices" },
	{ COUNTER_UNSEEN_COMPLETION, "unseen_completions",
	  "the kernel told no completion of a request to a block device: its time is missing" },
	{ COUNTER_SHARED_SLOT, "processes_without_figures",
	  "no slot left: what a process did stands in the tree's figures only" },
	{ COUNTER_OTHER_DEVICE, "device_interrupts_in_other",
	  "table full: devices' interrupts that stand in the row other" },
	{ COUNTER_OTHER_PEER, "peers_in_other", "peer table full: counted in the row other" },
	{ COUNTER_OTHER_LOCK, "lock_calls_in_other",
	  "lock table full: calls stand in the row other" },
	{ COUNTER_OTHER_SITE, "lock_sites_in_other",
	  "table of kernel lock sites full: waits stand in the row other" },
	{ COUNTER_UNSEEN_ARRIVAL, "unseen_arrivals",
	  "the kernel told no switch to a thread: when it came is read from its sched_info" },
	{ COUNTER_UNSEEN_WAKE, "unseen_wakes",
	  "the kernel told no wake of a thread: when it was queued is read from its sched_info" },
	{ COUNTER_OTHER_KMEM, "kmem_sites_in_other",
	  "table memory_sites full: allocations stand in the row other" },
	{ COUNTER_OTHER_LIVE, "kmem_frees_unknown",
	  "table memory_lives full: an allocation is counted, but not when it is freed" },
	{ COUNTER_LATE_STACKS_FILE, "code_files_told_late",
	  "ring full: a file with code was told of later, stacks before that end there" },
	{ COUNTER_LATE_STACK, "stacks_told_late",
	  "ring full: a stack is told when it is met again, else samples lack it" },
	{ COUNTER_OTHER_STACK, "stacks_in_other",
	  "too many different stacks: samples stand in rows called [other stacks]" },
	{ COUNTER_OTHER_HEAP, "heaps_in_other",
	  "--alloc: table memory_heaps full: calls of a process stand in the tree only" },
	{ COUNTER_OTHER_CALLER, "callers_in_other",
	  "--alloc: table memory_callers full: allocations stand in the row other" },
	{ COUNTER_FOLDED_ROW, "rows_of_the_dead",
	  "rows of ended processes in tables of peers, errors, locks, objects and callers that were "
	  "added to others, for room" },
	{ COUNTER_STALE, "stale_entries",
	  "source raw_tp: a dead thread's entry was met under a new thread's address, "
	  "and not used" },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The objects of a session: the two that are shared, and those of probes that load their own. */
static struct bpf_object *object_at(const struct session *s, size_t i)
{
	const struct probe *p;

	if (i < 2)
		return i ? s->beside : s->shared;
	p = i == 2 ? &s->target : &s->probes[i - 3];
	return p->obj_shared ? NULL : p->obj;
}

#define OBJECTS(s) ((s)->nprobes + 3)

static void visit_programs(struct session *s,
			   void (*visit)(const char *name, struct bpf_prog_info *, void *),
			   void *ctx)
{
	for (size_t i = 0; i < OBJECTS(s); i++) {
		struct bpf_object *obj = object_at(s, i);
		struct bpf_program *prog;

		if (!obj)
			continue;
		bpf_object__for_each_program(prog, obj) {
			struct bpf_prog_info info = { 0 };
			uint32_t len = sizeof(info);
			int fd = bpf_program__fd(prog);

			if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
				visit(bpf_program__name(prog), &info, ctx);
		}
	}
}

static bool nested_is_nobodys(const char *program)
{
	for (const struct probe_class *const *c = probe_classes; *c; c++)
		for (const char *const *name = (*c)->nested_is_nobodys; name && *name; name++)
			if (!strcmp(*name, program))
				return true;
	return false;
}

static void add_misses(const char *name, struct bpf_prog_info *info, void *ctx)
{
	if (!nested_is_nobodys(name))
		*(uint64_t *)ctx += info->recursion_misses;
}

static void add_run_time(const char *name, struct bpf_prog_info *info, void *ctx)
{
	(void)name;
	*(uint64_t *)ctx += info->run_time_ns;
}

static size_t take(struct named_count *to, const struct loss *from, size_t n,
		   const uint64_t *counters)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (struct named_count){ from[i].name, counters[from[i].counter],
					      from[i].help };
	return n;
}

static void fill_lost(struct session *s, struct report *r)
{
	struct trust *t = &r->trust;

	t->lost = report_alloc(r, (COUNT(losses) + 1) * sizeof(*t->lost));
	t->nlost = take(t->lost, losses, COUNT(losses), s->counters);
	t->folded = report_alloc(r, (COUNT(folds) + 2) * sizeof(*t->folded));
	t->nfolded = take(t->folded, folds, COUNT(folds), s->counters);
	for (size_t i = 0; i < COUNT(folds); i++) {
		if (folds[i].counter == COUNTER_OTHER_OBJECT)
			t->folded[i].count += r->ledger.objects_folded;
		if (folds[i].counter == COUNTER_OTHER_WAKER)
			t->folded[i].count += r->ledger.wakers_folded;
	}
	t->folded[t->nfolded++] = (struct named_count){
		"processes_cut",
		r->ledger.processes_cut,
		"the shortest-lived dead processes have no row; see commands and totals",
	};
	t->lost[t->nlost] = (struct named_count){
		.name = "recursion_missed",
		.help = "an event came while its own program ran on that CPU",
	};
	visit_programs(s, add_misses, &t->lost[t->nlost++].count);
	for (size_t i = 0; i < t->nlost; i++)
		t->lost_total += t->lost[i].count;
}

static void fill_sources(struct session *s, struct report *r)
{
	struct trust *t = &r->trust;

	t->sources = report_alloc(r, (s->nprobes + 1) * sizeof(*t->sources));
	for (size_t i = 0; i <= s->nprobes; i++) {
		const struct probe *p = i ? &s->probes[i - 1] : &s->target;

		t->sources[t->nsources++] = (struct source_row){
			.probe = p->class->name,
			.chosen = p->source ? p->source->name : NULL,
			.attempts = p->attempts,
			.nattempts = p->nattempts,
		};
	}
}

static uint64_t map_bytes(struct session *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < OBJECTS(s); i++) {
		struct bpf_object *obj = object_at(s, i);
		struct bpf_map *map;

		if (!obj || obj == s->beside) /* whose maps are those of s->shared */
			continue;
		bpf_object__for_each_map(map, obj) {
			char path[64], line[128];
			unsigned long long bytes;
			FILE *f;

			snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
			f = fopen(path, "re");
			while (f && fgets(line, sizeof(line), f))
				if (sscanf(line, "memlock: %llu", &bytes) == 1)
					total += bytes;
			if (f)
				fclose(f);
		}
	}
	return total;
}

static void fill_self(struct session *s, struct report *r)
{
	struct trust *t = &r->trust;
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	t->self_cpu_ns =
		((uint64_t)ru.ru_utime.tv_sec + (uint64_t)ru.ru_stime.tv_sec) * 1000000000 +
		((uint64_t)ru.ru_utime.tv_usec + (uint64_t)ru.ru_stime.tv_usec) * 1000;
	t->self_rss_peak_bytes = (uint64_t)ru.ru_maxrss * 1024;
	t->self_start_ns = s->start_ns - s->begin_ns;
	if (!r->final)
		return;
	t->self_map_bytes = map_bytes(s);
	visit_programs(s, add_run_time, &t->self_bpf_ns);
	if (s->stop_ns)
		t->self_stop_ns = session_clock() - s->stop_ns;
}

void trust_fill(struct session *s, struct report *r)
{
	const struct account *a = &r->ledger.tree;
	struct trust *t = &r->trust;

	if (a->lifetime_ns)
		t->accounted_percent =
			100.0 * (1.0 - (double)a->residual_ns / (double)a->lifetime_ns);
	fill_sources(s, r);
	fill_lost(s, r);
	fill_self(s, r);
	t->notes = report_alloc(r, (s->nnotes + 1) * sizeof(*t->notes));
	for (size_t i = 0; i < s->nnotes; i++)
		t->notes[t->nnotes++] = s->notes[i];
}
