/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens a session: which probes are wanted, by which source, in one object if that goes.
 * See session.h and source.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "image.h"
#include "prepare.h"
#include "session.h"
#include "source.h"

/* ---- what is wanted ---- */

static const struct probe_class *class_named(const char *name)
{
	for (const struct probe_class *const *c = probe_classes; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

/* Probes that see system calls through the probe syscalls: roles.h. */
static const char *const in_calls[] = { "io", "network", "locks", "stacks" };
#define IN_CALLS (sizeof(in_calls) / sizeof(in_calls[0]))

bool session_wants(const struct session *s, const char *name)
{
	const struct probe_class *class = class_named(name);
	const char *list = s->options->probes;

	if (!class)
		return false;
	if (s->only)
		return s->only == class;
	if (!strcmp(name, "ledger")) /* the others read its results */
		return true;
	if (!strcmp(name, "stacks"))
		return options_want_stacks(s->options) || s->options->alloc;
	if (!strcmp(name, "memory") && s->options->alloc)
		return true;
	if (list ? probe_listed(list, name) : !class->opt_in)
		return true;
	for (size_t i = 0; i < IN_CALLS && !strcmp(name, "syscalls"); i++)
		if (session_wants(s, in_calls[i]))
			return true;
	return false;
}

static const char *forced_source(const struct session *s, const char *probe)
{
	for (size_t i = 0; i < s->options->nforced; i++)
		if (!strcmp(s->options->forced[i].probe, probe))
			return s->options->forced[i].source;
	return NULL;
}

/*
 * The ledger reads other tasks than the current one, so its source decides the key of all
 * task state: a forced one that is keyed by pointer takes the target object with it.
 */
static const char *target_force(const struct session *s)
{
	const char *f = forced_source(s, "target");

	if (f)
		return f;
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		const char *name = forced_source(s, (*c)->name);
		bool plain = false, hash = false;

		for (const struct source *src = (*c)->sources; name && src->name; src++)
			if (!strcmp(src->name, name))
				*(src->hash ? &hash : &plain) = true;
		if (hash && !plain)
			return "raw_tp";
	}
	return NULL;
}

/* Of a probe that loads an object for itself: its own maps, and those of whom it calls. */
static bool is_used_by(const struct probe *alone, const struct probe_class *owner)
{
	if (owner == alone->class)
		return true;
	for (size_t i = 0; i < IN_CALLS && !strcmp(alone->class->name, "syscalls"); i++)
		if (!strcmp(owner->name, in_calls[i]))
			return true;
	return !strcmp(owner->name, "stacks") &&
	       (!strcmp(alone->class->name, "ledger") || !strcmp(alone->class->name, "memory"));
}

/* Maps are called PROBE_what; others are everybody's. */
static const struct probe_class *owner_of(const char *name)
{
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		size_t len = strlen((*c)->name);

		if (!strncmp(name, (*c)->name, len) && name[len] == '_')
			return *c;
	}
	return NULL;
}

static bool map_wanted(const char *name, void *ctx)
{
	const struct session *s = ctx;
	const struct probe_class *owner = owner_of(name);

	if (!strcmp(name, "seed_pids")) /* a megabyte */
		return s->attach;
	return !owner ||
	       (session_wants(s, owner->name) && (!s->alone || is_used_by(s->alone, owner)));
}

/* In the object of another probe a probe's own map is there in the least size only. */
static int map_in(const struct probe *p, const char *name)
{
	const struct probe_class *owner = owner_of(name);
	struct bpf_map *map = NULL;

	if (p->obj && (!owner || p->obj_shared || is_used_by(p, owner)))
		map = bpf_object__find_map_by_name(p->obj, name);
	return map ? bpf_map__fd(map) : -1;
}

static int map_made(const char *name, void *ctx)
{
	const struct session *s = ctx;
	int fd = map_in(&s->target, name);

	for (size_t i = 0; i < s->nprobes && fd < 0; i++)
		fd = map_in(&s->probes[i], name);
	return fd;
}

static int configure_all(struct bpf_object *obj, void *ctx)
{
	struct session *s = ctx;
	int err = 0;

	for (size_t i = 0; i < s->nprobes && !err; i++)
		if (s->probes[i].class->configure)
			err = s->probes[i].class->configure(&s->probes[i], obj);
	return err;
}

/* ---- attaching ---- */

static int make_probes(struct session *s)
{
	size_t n = 0;

	for (const struct probe_class *const *c = probe_classes; *c; c++)
		n++;
	s->probes = calloc(n, sizeof(*s->probes));
	if (!s->probes)
		return err_set(-ENOMEM, "no memory");
	s->target.class = &target_class;
	s->target.session = s;
	s->target.forced = target_force(s);
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		struct probe *p = &s->probes[s->nprobes];

		if (!session_wants(s, (*c)->name))
			continue;
		p->class = *c;
		p->session = s;
		p->forced = forced_source(s, (*c)->name);
		s->nprobes++;
	}
	return 0;
}

static bool is_forced_to_hash(const struct session *s)
{
	return s->target.forced && !strcmp(s->target.forced, "raw_tp");
}

/* All in one object. What cannot be loaded so is tried probe by probe. */
static bool attach_together(struct session *s, struct source_env *env)
{
	struct probe **all = calloc(s->nprobes + 1, sizeof(struct probe *));
	int err;

	if (!all)
		return false;
	for (size_t i = 0; i <= s->nprobes; i++)
		all[i] = i ? &s->probes[i - 1] : &s->target;
	env->hash = is_forced_to_hash(s);
	err = source_attach_together(all, s->nprobes + 1, env, &s->shared, &s->beside);
	free(all);
	if (err)
		return false;
	if (s->target.obj)
		return true;
	for (size_t i = 0; i < s->nprobes; i++)
		source_detach(&s->probes[i]);
	bpf_object__close(s->beside);
	bpf_object__close(s->shared);
	s->beside = s->shared = NULL;
	return false;
}

static int attach_alone(struct session *s, struct probe *p, struct source_env *env)
{
	bool asked = p->forced || s->options->probes;
	int err;

	env->hash = s->hash;
	env->any_key = false;
	s->alone = p;
	err = source_attach(p, env);
	s->alone = NULL;
	if (!err)
		return 0;
	if (asked)
		return err_set(err, "probe '%s': no source attaches%s%s", p->class->name,
			       p->forced ? ", asked for was " : "", p->forced ? p->forced : "");
	session_note(s, "probe %s is absent: no source attaches (%s)", p->class->name,
		     strerror(-err));
	return 0;
}

/* What the probe syscalls would have told them. */
static void note_deaf(struct session *s)
{
	const struct probe *calls = NULL;

	for (size_t i = 0; i < s->nprobes; i++)
		if (!strcmp(s->probes[i].class->name, "syscalls"))
			calls = &s->probes[i];
	for (size_t i = 0; i < IN_CALLS && calls && !calls->obj; i++)
		if (session_wants(s, in_calls[i]))
			session_note(s, "probe %s lacks what system calls tell: syscalls is absent",
				     in_calls[i]);
}

static int attach_probes(struct session *s, struct source_env *env)
{
	int err = 0;

	if (!attach_together(s, env)) {
		env->any_key = true;
		s->alone = &s->target;
		err = source_attach(&s->target, env);
		s->alone = NULL;
	}
	if (err)
		return err;
	s->hash = s->target.source->hash;
	for (size_t i = 0; i < s->nprobes && !err; i++)
		if (!s->probes[i].obj)
			err = attach_alone(s, &s->probes[i], env);
	note_deaf(s);
	return err;
}

static int start_probe(struct session *s, struct probe *p)
{
	int err = p->obj && p->class->start ? p->class->start(p) : 0;

	if (!err)
		return 0;
	source_detach(p);
	if (p->forced || s->options->probes)
		return err_set(err, "probe '%s' does not start: %s", p->class->name, err_text());
	session_note(s, "probe %s is absent: %s", p->class->name, err_text());
	return 0;
}

static void *map_shared(struct session *s, const char *name, size_t size)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       probe_map_fd(&s->target, name), 0);

	return m == MAP_FAILED ? NULL : m;
}

static void on_dead(void *ctx, struct process *p)
{
	slots_retire(ctx, p);
}

static int start_session(struct session *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int err;

	s->control = map_shared(s, "control", page);
	s->counters = map_shared(s, "counters", page);
	if (!s->control || !s->counters)
		return err_set(-errno, "cannot map the control block");
	err = slots_open(s);
	if (err)
		return err;
	s->tree.on_dead = on_dead;
	s->tree.on_dead_ctx = s;
	s->ring = ring_buffer__new(probe_map_fd(&s->target, "events"), session_event, s, NULL);
	if (!s->ring)
		return err_set(-errno, "cannot open the event ring");
	for (size_t i = 0; i < s->nprobes && !err; i++)
		err = start_probe(s, &s->probes[i]);
	for (size_t i = 0; i < s->nprobes && !err; i++)
		if (!strcmp(s->probes[i].class->name, "ledger") && s->probes[i].obj)
			s->control->forgets = 1;
	return err;
}

static int quiet_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static int quiet_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text;

	if (log_level < LOG_DEBUG || level == LIBBPF_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	/* the verifier's log is one message of many lines, the last of which say what is wrong */
	fprintf(stderr, "dwell: %s", text);
	free(text);
	return 0;
}

/* Loaded each for itself, eight probes have a thousand; the command has its own limit by now. */
static void more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int session_open(struct session **out, const struct options *options, bool attach)
{
	struct session *s = calloc(1, sizeof(*s));
	struct source_env env = { .prepare = prepare_object,
				  .configure = configure_all,
				  .map_wanted = map_wanted,
				  .map_made = map_made,
				  .seed = attach,
				  .ctx = s };
	int err;

	if (!s)
		return err_set(-ENOMEM, "no memory");
	libbpf_set_print(quiet_libbpf);
	more_descriptors();
	/* libbpf parses the kernel's BTF, as we have: let it reuse the pages */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	s->options = options;
	s->attach = attach;
	s->begin_ns = s->start_ns = session_clock();
	err = prepare_check(options);
	if (!err)
		err = make_probes(s);
	if (!err)
		err = attach_probes(s, &env);
	image_release();
	mallopt(M_MMAP_THRESHOLD, 1 << 20); /* a report's memory goes back when it has been told */
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	malloc_trim(0); /* of what loading took, before we map what was made */
	if (!err)
		err = start_session(s);
	if (err) {
		if (!*err_text())
			err_set(err, "BPF programs cannot be attached");
		session_close(s);
		return err;
	}
	*out = s;
	return 0;
}

int session_try_source(const struct probe_class *class, const struct source *source,
		       struct source_attempt *attempt)
{
	static const struct options none;
	const struct probe_class *of = class ? class : &target_class;
	struct session s = { .options = &none, .only = of };
	const struct source one[] = { *source, { 0 } };
	struct probe_class alone = *of;
	struct probe p = { .class = &alone, .session = &s };
	struct source_env env = {
		.prepare = prepare_object, .map_wanted = map_wanted, .ctx = &s, .any_key = true
	};
	int err;

	libbpf_set_print(quiet_libbpf);
	s.target.session = &s;
	alone.sources = one;
	err = source_attach(&p, &env);
	*attempt = p.nattempts ? p.attempts[p.nattempts - 1]
			       : (struct source_attempt){ .error = err, .what = "open" };
	attempt->name = source->name;
	source_detach(&p);
	free(p.attempts);
	return err;
}
