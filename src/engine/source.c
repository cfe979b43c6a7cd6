/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens the embedded object, keeps only the programs of the sources that are tried, loads,
 * attaches; on a failure drops it all. See source.h.
 */
#include "source.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "detach.h"
#include "err.h"
#include "image.h"
#include "kernel_btf.h"
#include "loader.h"

struct source_attempt *source_note(struct probe *p, const char *source, const char *what, int error)
{
	struct source_attempt *a;

	a = reallocarray(p->attempts, p->nattempts + 1, sizeof(*a));
	if (!a)
		abort();
	p->attempts = a;
	a += p->nattempts++;
	*a = (struct source_attempt){ .name = source, .error = error, .what = what };
	return a;
}

/* The list's own string of that name, which outlives the object; NULL: it is not there. */
static const char *listed(const char *const *list, const char *name)
{
	for (int i = 0; i < SOURCE_PROGS && list[i]; i++)
		if (!strcmp(list[i], name))
			return list[i];
	return NULL;
}

static bool is_iterator(const struct bpf_program *prog)
{
	return !strncmp(bpf_program__section_name(prog), "iter/", 5);
}

static bool is_seed(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog);
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, "_seed");
}

/* Programs are called PROBE_what. */
static bool belongs(const struct probe *p, const struct bpf_program *prog)
{
	size_t len = strlen(p->class->name);
	const char *name = bpf_program__name(prog);

	return !strncmp(name, p->class->name, len) && name[len] == '_';
}

/*
 * Whether the kernel has what the program hooks on; one that it lacks would fail the load of
 * the whole object.
 */
static bool hook_known(const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	if (!strncmp(section, "tp_btf/", 7))
		return kernel_btf_tracepoint(section + 7);
	if (!strncmp(section, "fentry/", 7))
		return kernel_btf_can_fentry() && kernel_btf_function(section + 7);
	if (!strncmp(section, "fexit/", 6))
		return kernel_btf_can_fentry() && kernel_btf_function(section + 6);
	return true;
}

static bool source_known(struct probe *p, const struct source *src, struct bpf_object *obj)
{
	for (int i = 0; i < SOURCE_PROGS && src->progs[i]; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, src->progs[i]);

		if (prog && hook_known(prog))
			continue;
		source_note(p, src->name, src->progs[i], -ENOENT);
		return false;
	}
	return true;
}

static bool source_fits(const struct probe *p, const struct source *src, bool hash)
{
	return src->hash == hash && (!p->forced || !strcmp(p->forced, src->name));
}

static void choose_programs(struct probe *p, const struct source *src, bool seed,
			    struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		const char *name = bpf_program__name(prog);
		bool want = listed(src->progs, name);

		if (!belongs(p, prog))
			continue;
		if (is_iterator(prog)) {
			want = !is_seed(prog) || seed;
		} else if (!want && listed(src->optional, name)) {
			want = hook_known(prog);
			if (!want)
				source_note(p, src->name, listed(src->optional, name), -ENOENT);
		}
		bpf_program__set_autoload(prog, want);
	}
}

/*
 * A map of a probe that is off has the least size: before 6.8 (2afae08c9dcb) the kernel checks
 * global functions that nobody calls, so what they use has to be there.
 */
static int make_least(struct bpf_map *map)
{
	return bpf_map__max_entries(map) > 1 ? bpf_map__set_max_entries(map, 1) : 0;
}

static int choose_maps(struct bpf_object *obj, const struct source_env *env)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map);
		int err = 0, fd;

		if (strchr(name, '.')) /* constants: each object's own */
			continue;
		fd = env->map_made ? env->map_made(name, env->ctx) : -1;
		if (fd >= 0)
			err = bpf_map__reuse_fd(map, fd);
		else if (env->map_wanted && !env->map_wanted(name, env->ctx))
			err = make_least(map);
		if (err)
			return err;
	}
	return 0;
}

static int attach_one(struct probe *p, const struct source *src, struct bpf_program *prog,
		      const char *name, bool must)
{
	struct bpf_link *link = image_attach(prog);
	int err = libbpf_get_error(link);

	if (err) {
		source_note(p, src->name, name, err);
		return must ? err : 0;
	}
	p->links[p->nlinks++] = link;
	return 0;
}

/* The program of that name where it was loaded; NULL: nowhere. */
static struct bpf_program *loaded(struct bpf_object *obj, const char *name)
{
	struct bpf_program *prog = obj ? bpf_object__find_program_by_name(obj, name) : NULL;

	return prog && bpf_program__autoload(prog) ? prog : NULL;
}

static int attach_list(struct probe *p, const struct source *src, const char *const *list,
		       bool must)
{
	for (int i = 0; i < SOURCE_PROGS && list[i]; i++) {
		struct bpf_program *prog = loaded(p->obj, list[i]);
		int err;

		prog = prog ? prog : loaded(p->beside, list[i]);
		if (!prog && !bpf_object__find_program_by_name(p->obj, list[i]))
			return err_set(-EINVAL, "program '%s' is not in the object", list[i]);
		if (!prog)
			continue;
		err = attach_one(p, src, prog, list[i], must);
		if (err)
			return err;
	}
	return 0;
}

static int attach_programs(struct probe *p)
{
	int err = attach_list(p, p->source, p->source->progs, true);

	if (!err)
		err = attach_list(p, p->source, p->source->optional, false);
	if (!err)
		source_note(p, p->source->name, "attach", 0);
	return err;
}

/* What probes that are not attached here have asked for. */
static void drop_programs(struct probe *const *probes, size_t n, struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		bool ours = false;

		for (size_t i = 0; i < n && !ours; i++)
			ours = probes[i]->source && belongs(probes[i], prog);
		if (!ours)
			bpf_program__set_autoload(prog, false);
	}
}

/* Constants and sizes; then the maps that there are already, which keep the size they have. */
static int configure(struct probe *const *probes, size_t n, const struct source_env *env,
		     struct bpf_object *obj)
{
	int err = env->prepare ? env->prepare(obj, env->ctx) : 0;

	if (!err && env->configure)
		err = env->configure(obj, env->ctx);
	for (size_t i = 0; i < n && !err && !env->configure; i++)
		if (probes[i]->source && probes[i]->class->configure)
			err = probes[i]->class->configure(probes[i], obj);
	drop_programs(probes, n, obj);
	return err ? err : choose_maps(obj, env);
}

/* ---- all at once ---- */

static void choose_source(struct probe *p, const struct source_env *env, struct bpf_object *obj)
{
	p->source = NULL;
	for (const struct source *src = p->class->sources; src->name && !p->source; src++)
		if (source_fits(p, src, env->hash) && source_known(p, src, obj))
			p->source = src;
	if (p->source)
		choose_programs(p, p->source, env->seed, obj);
}

/*
 * Whose programs the second thread loads: the kernel checks those of the target, the ledger and
 * syscalls (its functions for other probes among them) in about the time of all the others'.
 */
static bool is_beside(const struct probe *p)
{
	static const char *const not [] = { "target", "ledger", "syscalls" };

	for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
		if (!strcmp(p->class->name, not [i]))
			return false;
	return true;
}

static void move_list(struct loader *l, struct bpf_object *obj, const char *const *list)
{
	for (int i = 0; i < SOURCE_PROGS && list[i]; i++) {
		struct bpf_program *prog = loaded(obj, list[i]);

		if (prog)
			loader_move(l, obj, prog);
	}
}

/* Iterators stay: probes look for them in p->obj. */
static void move_programs(struct loader *l, struct probe *const *probes, size_t n,
			  struct bpf_object *obj)
{
	for (size_t i = 0; i < n; i++) {
		if (!probes[i]->source || !is_beside(probes[i]))
			continue;
		move_list(l, obj, probes[i]->source->progs);
		move_list(l, obj, probes[i]->source->optional);
	}
}

static int load_together(struct probe *const *probes, size_t n, const struct source_env *env,
			 struct bpf_object **obj, struct bpf_object **beside)
{
	struct loader *l = NULL;
	int err;

	for (size_t i = 0; i < n && !l; i++)
		if (is_beside(probes[i]))
			l = loader_begin(env->hash);
	*obj = image_open(env->hash);
	if (!*obj) {
		err = -errno;
		loader_drop(l);
		return err_set(err, "cannot open the BPF object");
	}
	for (size_t i = 0; i < n; i++)
		choose_source(probes[i], env, *obj);
	err = configure(probes, n, env, *obj);
	if (err)
		loader_drop(l);
	else if (l)
		move_programs(l, probes, n, *obj);
	return err ? err : loader_load(l, *obj, beside);
}

int source_attach_together(struct probe *const *probes, size_t n, const struct source_env *env,
			   struct bpf_object **obj, struct bpf_object **beside)
{
	int err;

	*obj = *beside = NULL;
	err = load_together(probes, n, env, obj, beside);
	for (size_t i = 0; i < n && !err; i++) {
		struct probe *p = probes[i];

		if (!p->source)
			continue;
		p->obj = *obj;
		p->beside = *beside;
		p->obj_shared = true;
		if (attach_programs(p))
			source_detach(p);
	}
	if (!err)
		return 0;
	bpf_object__close(*obj);
	*obj = NULL;
	for (size_t i = 0; i < n; i++) {
		probes[i]->source = NULL;
		probes[i]->nattempts = 0; /* each is tried again alone */
	}
	return err;
}

/* ---- one alone ---- */

static int try_source(struct probe *p, const struct source *src, const struct source_env *env)
{
	int err;

	p->obj = image_open(src->hash);
	if (!p->obj)
		return -errno;
	if (!source_known(p, src, p->obj)) {
		source_detach(p);
		return -ENOENT;
	}
	p->source = src;
	choose_programs(p, src, env->seed, p->obj);
	err = configure(&p, 1, env, p->obj);
	if (err)
		source_note(p, src->name, "open", err);
	if (!err) {
		err = bpf_object__load(p->obj);
		if (err)
			source_note(p, src->name, "load", err);
	}
	if (!err)
		err = attach_programs(p);
	if (err)
		source_detach(p);
	return err;
}

int source_attach(struct probe *p, const struct source_env *env)
{
	int err = -ENOENT;

	for (const struct source *src = p->class->sources; src->name; src++) {
		if (!source_fits(p, src, env->any_key ? src->hash : env->hash))
			continue;
		err = try_source(p, src, env);
		if (!err)
			return 0;
		log_msg(LOG_DEBUG, "%s: source %s: %s", p->class->name, src->name, strerror(-err));
	}
	return err;
}

void source_detach(struct probe *p)
{
	/*
	 * The last one first: where the first program of several on a tracepoint goes, the kernel
	 * waits for all readers (kernel/tracepoint.c, tracepoint_remove_func), 20 ms each.
	 */
	while (p->nlinks)
		detach_link(p->links[--p->nlinks]);
	if (!p->obj_shared)
		bpf_object__close(p->obj);
	p->obj = p->beside = NULL;
	p->obj_shared = false;
	p->source = NULL;
}
