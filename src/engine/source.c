/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tries a probe's sources: open the embedded object, keep only the source's programs,
 * load, attach; on a failure drop it all and try the next. See source.h.
 */
#include "source.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "kernel_btf.h"

static struct source_attempt *note(struct probe *p, const char *source, const char *what, int error)
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

static bool listed(const char *const *list, const char *name)
{
	for (int i = 0; i < SOURCE_PROGS && list[i]; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
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

/*
 * A tp_btf program whose tracepoint the kernel lacks would fail the whole object, so an
 * optional one is loaded only when BTF knows its tracepoint.
 */
static bool tracepoint_known(struct probe *p, const struct source *src,
			     const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	if (strncmp(section, "tp_btf/", 7) || kernel_btf_has_tracepoint(section + 7))
		return true;
	note(p, src->name, bpf_program__name(prog), -ENOENT);
	return false;
}

static void choose_programs(struct probe *p, const struct source *src, bool seed,
			    struct bpf_object *obj)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		const char *name = bpf_program__name(prog);
		bool want = listed(src->progs, name);

		if (is_iterator(prog))
			want = !is_seed(prog) || seed;
		else if (!want && listed(src->optional, name))
			want = tracepoint_known(p, src, prog);
		bpf_program__set_autoload(prog, want);
	}
}

static int reuse_maps(struct bpf_object *obj, const struct source_env *env)
{
	for (int i = 0; i < SHARED_MAPS && env->shared[i].name; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, env->shared[i].name);
		int err = map ? bpf_map__reuse_fd(map, env->shared[i].fd) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int attach_one(struct probe *p, const struct source *src, struct bpf_program *prog,
		      bool must)
{
	struct bpf_link *link = bpf_program__attach(prog);
	int err = libbpf_get_error(link);

	if (err) {
		note(p, src->name, bpf_program__name(prog), err);
		return must ? err : 0;
	}
	p->links[p->nlinks++] = link;
	return 0;
}

static int attach_list(struct probe *p, const struct source *src, const char *const *list,
		       bool must)
{
	for (int i = 0; i < SOURCE_PROGS && list[i]; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, list[i]);
		int err;

		if (!prog)
			return err_set(-EINVAL, "program '%s' is not in the object", list[i]);
		if (!bpf_program__autoload(prog))
			continue;
		err = attach_one(p, src, prog, must);
		if (err)
			return err;
	}
	return 0;
}

static int open_object(struct probe *p, const struct source *src, const struct source_env *env)
{
	const struct bpf_image *image = src->hash ? &p->class->image_hash : &p->class->image;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = p->class->name);
	int err;

	p->obj = bpf_object__open_mem(image->start, image->end - image->start, &opts);
	err = libbpf_get_error(p->obj);
	if (err) {
		p->obj = NULL;
		return err;
	}
	choose_programs(p, src, env->seed, p->obj);
	err = env->prepare ? env->prepare(p, p->obj, env->ctx) : 0;
	if (!err && p->class->configure)
		err = p->class->configure(p, p->obj);
	return err ? err : reuse_maps(p->obj, env);
}

static int try_source(struct probe *p, const struct source *src, const struct source_env *env)
{
	int err = open_object(p, src, env);

	if (err) {
		note(p, src->name, "open", err);
		goto out;
	}
	err = bpf_object__load(p->obj);
	if (err) {
		note(p, src->name, "load", err);
		goto out;
	}
	p->source = src;
	err = attach_list(p, src, src->progs, true);
	if (!err)
		err = attach_list(p, src, src->optional, false);
	if (!err) {
		note(p, src->name, "attach", 0);
		return 0;
	}
out:
	source_detach(p);
	return err;
}

int source_attach(struct probe *p, const struct source_env *env)
{
	int err = -ENOENT;

	for (const struct source *src = p->class->sources; src->name; src++) {
		if (env->forced && strcmp(env->forced, src->name))
			continue;
		if (!env->any_key && src->hash != env->hash)
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
	for (size_t i = 0; i < p->nlinks; i++)
		bpf_link__destroy(p->links[i]);
	p->nlinks = 0;
	bpf_object__close(p->obj);
	p->obj = NULL;
	p->source = NULL;
}
