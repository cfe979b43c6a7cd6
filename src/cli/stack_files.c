/* SPDX-License-Identifier: BSD-2-Clause */
/* One row a file: its option, and what writes it. */
#include "stack_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "flame.h"
#include "pprof.h"
#include "speedscope.h"

static int write_folded(const struct options *o, const struct report *r, struct outfile *f)
{
	return folded_write(r, f, o->folded_state);
}

static int write_pprof(const struct options *o, const struct report *r, struct outfile *f)
{
	(void)o;
	return pprof_write(r, f);
}

static int write_speedscope(const struct options *o, const struct report *r, struct outfile *f)
{
	(void)o;
	return speedscope_write(r, f);
}

static int write_flame(const struct options *o, const struct report *r, struct outfile *f)
{
	const char *dot = strrchr(o->flame, '.');

	return flame_write(r, f, dot && !strcmp(dot, ".html"));
}

static const struct {
	const char *option;
	size_t path; /* in struct options */
	int (*write)(const struct options *o, const struct report *r, struct outfile *f);
} outputs[STACK_FILES] = {
	{ "--folded", offsetof(struct options, folded), write_folded },
	{ "--pprof", offsetof(struct options, pprof), write_pprof },
	{ "--speedscope", offsetof(struct options, speedscope), write_speedscope },
	{ "--flame", offsetof(struct options, flame), write_flame },
};

static const char *path_of(const struct options *o, size_t i)
{
	const char *path = NULL;

	memcpy(&path, (const char *)o + outputs[i].path, sizeof(path));
	return path;
}

int stack_files_open(struct stack_files *s, const struct options *o)
{
	int err = 0;

	s->options = o;
	for (size_t i = 0; i < STACK_FILES && !err; i++) {
		const char *path = path_of(o, i);

		if (path && !strcmp(path, "-"))
			err = outfile_fd(&s->files[i], STDOUT_FILENO, "stdout");
		else if (path)
			err = outfile_open(&s->files[i], path);
	}
	return err;
}

void stack_files_write(struct stack_files *s, const struct report *r)
{
	for (size_t i = 0; i < STACK_FILES; i++) {
		if (!s->files[i])
			continue;
		if (r->stacks.present) {
			s->errors[i] = outputs[i].write(s->options, r, s->files[i]);
			continue;
		}
		s->errors[i] = -ENODATA;
		log_msg(LOG_ERROR, "%s: there are no stacks to write; trust.sources tells why",
			outputs[i].option);
	}
}

int stack_files_close(struct stack_files *s, bool keep)
{
	int err = 0;

	for (size_t i = 0; i < STACK_FILES; i++) {
		int failed = outfile_close(s->files[i], keep && !s->errors[i]);

		err = err ?: s->errors[i] ?: failed;
		s->files[i] = NULL;
	}
	return err;
}
