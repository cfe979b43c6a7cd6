/* SPDX-License-Identifier: BSD-2-Clause */
/* Constants and map sizes of a BPF object; see prepare.h. */
#include "prepare.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "image.h"
#include "kernel_btf.h"
#include "session.h"

uint32_t probe_limit(const struct probe *p, const char *name, uint32_t entries)
{
	const struct options *o = p->session ? p->session->options : NULL;

	for (size_t i = 0; o && i < o->nlimits; i++)
		if (!strcmp(o->limits[i].name, name))
			return o->limits[i].entries;
	return entries;
}

int probe_map_fd(struct probe *p, const char *name)
{
	struct bpf_map *map = p->obj ? bpf_object__find_map_by_name(p->obj, name) : NULL;

	return map ? bpf_map__fd(map)
		   : err_set(-ENOENT, "%s has no map '%s'", p->class->name, name);
}

static bool is_loaded(struct bpf_object *obj, const char *name)
{
	struct bpf_program *prog = obj ? bpf_object__find_program_by_name(obj, name) : NULL;

	return prog && bpf_program__autoload(prog) && bpf_program__fd(prog) >= 0;
}

int probe_error(const struct probe *p, const char *program)
{
	for (size_t i = 0; i < p->nattempts; i++) {
		const struct source_attempt *a = &p->attempts[i];

		if (a->error && !strcmp(a->name, p->source->name) && !strcmp(a->what, program))
			return a->error;
	}
	return 0;
}

bool probe_attached(const struct probe *p, const char *program)
{
	return (is_loaded(p->obj, program) || is_loaded(p->beside, program)) &&
	       !probe_error(p, program);
}

/* A ring's size is a power of two of pages. */
static uint32_t ring_size(uint32_t want)
{
	uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE);

	while (size < want && size < 1U << 30)
		size <<= 1;
	return size;
}

int prepare_check(const struct options *o)
{
	struct bpf_object *obj = o->nlimits ? image_open(false) : NULL;
	int err = 0;

	if (o->nlimits && !obj)
		return err_set(-errno, "cannot open the BPF object");
	for (size_t i = 0; i < o->nlimits && !err; i++)
		if (!bpf_object__find_map_by_name(obj, o->limits[i].name))
			err = err_set(-EINVAL, "--limit: no table is called '%s'",
				      o->limits[i].name);
	bpf_object__close(obj);
	return err;
}

static int set_limits(const struct options *o, struct bpf_object *obj)
{

	for (size_t i = 0; i < o->nlimits; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(obj, o->limits[i].name);
		uint32_t n = o->limits[i].entries;
		int err;

		if (!map)
			continue;
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			n = ring_size(n);
		err = bpf_map__set_max_entries(map, n);
		if (err)
			return err_set(err, "cannot size map '%s'", o->limits[i].name);
	}
	return 0;
}

int prepare_constant(struct bpf_object *obj, const char *section, const void *value, size_t size)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, section);
	int err = map ? bpf_map__set_initial_value(map, value, size) : -ENOENT;

	return err ? err_set(err, "cannot set the constants '%s'", section) : 0;
}

int prepare_object(struct bpf_object *obj, void *ctx)
{
	struct session *s = ctx;
	struct bpf_cfg cfg = {
		.exclude_children = s->options->exclude_children,
		.all = s->options->all,
		.self_tgid = (uint32_t)getpid(),
		.sample_interval = s->options->sample_interval,
	};
	uint32_t cast = kernel_btf_function("bpf_rdonly_cast") != 0;
	struct stat st;
	int err;

	if (stat("/proc/self/ns/pid", &st))
		return err_set(-errno, "cannot read '/proc/self/ns/pid'");
	cfg.pidns_inum = st.st_ino;
	err = prepare_constant(obj, ".rodata.cfg", &cfg, sizeof(cfg));
	if (!err)
		err = prepare_constant(obj, ".rodata.kread", &cast, sizeof(cast));
	if (!err)
		err = set_limits(s->options, obj);
	return err ? err : slots_configure(s, obj);
}
