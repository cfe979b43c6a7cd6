/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --lock-order: uprobes on pthread_mutex_lock, _unlock and the tries, in the system's C
 * libraries and where the target itself has them (a static program, another library); and
 * the pairs of locks that were taken in both orders.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "elf_symbols.h"
#include "err.h"
#include "locks_user.h"
#include "program_path.h"

#define TRIES "pthread_mutex_trylock", "pthread_mutex_timedlock", "pthread_mutex_clocklock"

static const struct hook {
	const char *program;
	bool at_return;
	const char *functions[4]; /* ends with NULL */
} hooks[] = {
	{ "locks_mutex_lock", false, { "pthread_mutex_lock" } },
	{ "locks_mutex_unlock", false, { "pthread_mutex_unlock" } },
	{ "locks_mutex_try", false, { TRIES } },
	{ "locks_mutex_tried", true, { TRIES } },
};

#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))
#define FILES_MAX 4

static const char *const libraries[] = {
	"/lib/x86_64-linux-gnu/libc.so.6",
	"/lib64/libc.so.6",
	"/usr/lib/libc.so.6",
	"/lib/x86_64-linux-gnu/libpthread.so.0", /* before glibc 2.34 */
	"/lib/ld-musl-x86_64.so.1",
};

struct files {
	char path[FILES_MAX][512];
	uint64_t inode[FILES_MAX];
	size_t n;
};

int order_configure(struct probe *p, struct bpf_object *obj)
{
	for (size_t i = 0; p->session && p->session->options->lock_order && i < HOOKS; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(obj, hooks[i].program);

		bpf_program__set_autoload(prog, true);
		uprobes_prepare(prog);
	}
	return 0;
}

/* A file that has the functions, if it is not there already. */
static void add_file(struct files *files, const char *path)
{
	struct elf_symbols *elf;
	struct elf_symbol symbol;
	struct stat st;

	if (files->n == FILES_MAX || stat(path, &st))
		return;
	for (size_t i = 0; i < files->n; i++)
		if (files->inode[i] == st.st_ino)
			return;
	elf = elf_symbols_open(path, 0);
	if (elf && elf_symbols_function(elf, hooks[0].functions[0], &symbol)) {
		snprintf(files->path[files->n], sizeof(files->path[0]), "%s", path);
		files->inode[files->n++] = st.st_ino;
	}
	elf_symbols_close(elf);
}

/* Every file of a living process that has code; as it sees them. */
static void add_process(struct files *files, pid_t pid)
{
	char name[64], line[4500], path[512], inside[600], access_[8];
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %7s %*s %*s %*s %511[^\n]", access_, path) != 2 ||
		    access_[2] != 'x' || path[0] != '/')
			continue;
		snprintf(inside, sizeof(inside), "/proc/%d/root%s", pid, path);
		add_file(files, inside);
	}
	if (f)
		fclose(f);
}

static int attach(struct probe *p, struct locks_data *d, const char *path,
		  const struct elf_symbols *elf, const struct hook *hook)
{
	struct uprobes places = {
		.prog = bpf_object__find_program_by_name(p->obj, hook->program),
		.at_return = hook->at_return,
	};
	struct elf_symbol symbol;
	int err;

	/* an older library has fewer */
	for (const char *const *name = hook->functions; *name; name++)
		if (elf_symbols_function(elf, *name, &symbol) &&
		    elf_symbols_offset(elf, symbol.value, &places.offsets[places.n]))
			places.n++;
	err = uprobes_attach(&d->order_links, &places, path);
	return err ? err_set(err, "--lock-order: cannot probe %s and its kin in '%s'",
			     hook->functions[0], path)
		   : 0;
}

static int attach_file(struct probe *p, struct locks_data *d, const char *path)
{
	struct elf_symbols *elf = elf_symbols_open(path, 0);
	int err = elf ? 0 : err_set(-ENOENT, "cannot read '%s'", path);

	for (size_t i = 0; i < HOOKS && !err; i++)
		err = attach(p, d, path, elf, &hooks[i]);
	elf_symbols_close(elf);
	return err;
}

int order_start(struct probe *p)
{
	const struct options *o = p->session->options;
	struct locks_data *d = p->data;
	struct files files = { 0 };
	char path[512];
	int err = 0;

	if (!o->lock_order)
		return 0;
	for (size_t i = 0; i < o->npids; i++)
		add_process(&files, o->pids[i]);
	if (o->command == COMMAND_RUN && o->argv && o->argv[0] &&
	    program_path(o->argv[0], path, sizeof(path)))
		add_file(&files, path);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		add_file(&files, libraries[i]);
	if (!files.n)
		return err_set(-ENOENT, "--lock-order: no file with pthread_mutex_lock is known");
	for (size_t i = 0; i < files.n && !err; i++)
		err = attach_file(p, d, files.path[i]);
	return err;
}

void order_stop(struct probe *p)
{
	uprobes_detach(&((struct locks_data *)p->data)->order_links);
}

/* ---- the report ---- */

static const char *name_of(struct probe *p, struct report *r, uint32_t proc_id, uint64_t address)
{
	struct locks_data *d = p->data;
	struct lock_identity id = { 0 };
	struct lock_facts facts;

	if (locks_facts(p, &facts, proc_id, address, 0))
		lock_identify(d->modules, r, &facts, &id);
	/* of locks in one heap only the address tells which */
	if (id.symbol || id.module)
		return id.name;
	return report_printf(r, "%s 0x%llx", id.name ? id.name : "[unknown]",
			     (unsigned long long)address);
}

static void add_order(struct probe *p, struct report *r, const struct locks_pair *pair,
		      const struct locks_pair_sum *forward, const struct locks_pair_sum *backward)
{
	struct lock_order_row *row = &r->locks.orders[r->locks.norders++];

	row->proc_id = pair->proc_id;
	locks_who(p, pair->proc_id, &row->pid, row->comm);
	row->first_address = pair->first;
	row->second_address = pair->second;
	row->first = name_of(p, r, pair->proc_id, pair->first);
	row->second = name_of(p, r, pair->proc_id, pair->second);
	row->forward = forward->count;
	row->forward_tid = forward->tid;
	row->backward = backward->count;
	row->backward_tid = backward->tid;
}

void locks_orders_table(struct probe *p, struct report *r)
{
	int fd = probe_map_fd(p, "locks_pairs");
	struct locks_pair pair, back, *last = NULL;
	struct locks_pair_sum forward, backward;

	r->locks.orders = report_alloc(r, LOCK_ROWS * sizeof(*r->locks.orders));
	for (; !bpf_map_get_next_key(fd, last, &pair); last = &pair) {
		r->locks.pairs++;
		if (pair.first > pair.second || r->locks.norders == LOCK_ROWS)
			continue;
		back = pair;
		back.first = pair.second;
		back.second = pair.first;
		if (!bpf_map_lookup_elem(fd, &pair, &forward) &&
		    !bpf_map_lookup_elem(fd, &back, &backward))
			add_order(p, r, &pair, &forward, &backward);
	}
}
