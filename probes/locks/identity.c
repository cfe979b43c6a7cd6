/* SPDX-License-Identifier: BSD-2-Clause */
/* Which lock stands at an address; see identity.h. Limit: MODULES_KEPT files a session. */
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_symbols.h"

#define MODULES_KEPT 64
#define MEMO 128 /* code addresses of a file whose function has been looked for */

struct memo {
	uint64_t address;
	const char *name; /* NULL: none covers it */
};

struct module {
	char *path;
	uint64_t inode;
	struct elf_symbols *elf; /* NULL: cannot be read */
	struct memo memo[MEMO];
	size_t nmemo;
};

struct modules {
	struct module list[MODULES_KEPT];
	size_t n;
};

struct modules *modules_new(void)
{
	struct modules *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	return m;
}

void modules_free(struct modules *m)
{
	for (size_t i = 0; m && i < m->n; i++) {
		elf_symbols_close(m->list[i].elf);
		free(m->list[i].path);
	}
	free(m);
}

/* The file as the process itself sees it, if it lives, else as we do. */
static struct elf_symbols *open_file(const char *path, uint64_t inode, uint32_t pid)
{
	struct elf_symbols *elf = NULL;
	char inside[640];

	if (pid) {
		snprintf(inside, sizeof(inside), "/proc/%u/root%s", pid, path);
		elf = elf_symbols_open(inside, inode);
	}
	return elf ? elf : elf_symbols_open(path, inode);
}

static struct module *module_of(struct modules *m, const char *path, uint64_t inode, uint32_t pid)
{
	struct module *new;

	if (path[0] != '/')
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].inode == inode && !strcmp(m->list[i].path, path))
			return m->list[i].elf ? &m->list[i] : NULL;
	if (m->n == MODULES_KEPT)
		return NULL;
	new = &m->list[m->n++];
	new->path = strdup(path);
	if (!new->path)
		abort();
	new->inode = inode;
	new->elf = open_file(path, inode, pid);
	return new->elf ? new : NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- where it lies ---- */

static const char *const area_names[] = {
	[AREA_UNKNOWN] = "[unknown]", [AREA_FILE] = "[shared]", [AREA_BEHIND] = "[shared]",
	[AREA_HEAP] = "[heap]",       [AREA_STACK] = "[stack]", [AREA_ANONYMOUS] = "[anonymous]",
};

static bool in_file(const struct locks_place *p)
{
	return p->area == AREA_FILE || p->area == AREA_BEHIND;
}

#define LOCK_BYTES 56 /* the largest of the C library's: pthread_rwlock_t */

/* A lock that is the whole variable is named by it alone; one of an array or struct is not. */
static void name_symbol(struct report *r, const struct lock_facts *f, struct lock_identity *id,
			uint64_t size)
{
	if (id->offset && (id->kind == LOCK_FUTEX || size > LOCK_BYTES))
		id->name = report_printf(r, "%s+0x%llx (%s)", id->symbol,
					 (unsigned long long)id->offset, base_name(f->path));
	else
		id->name = report_printf(r, "%s (%s)", id->symbol, base_name(f->path));
}

static void name_variable(struct modules *m, struct report *r, const struct lock_facts *f,
			  struct lock_identity *id)
{
	const struct locks_place *p = &f->mark.place;
	struct module *module = module_of(m, f->path, p->inode, f->pid);
	uint64_t offset = f->address - p->start + p->offset, address;
	struct elf_symbol symbol;

	id->module = report_printf(r, "%s", f->path);
	id->offset = offset;
	if (module && elf_symbols_address(module->elf, offset, true, &address)) {
		id->offset = address;
		if (elf_symbols_find(module->elf, ELF_VARIABLE, address, &symbol)) {
			id->symbol = report_printf(r, "%s", symbol.name);
			id->offset = address - symbol.value;
			name_symbol(r, f, id, symbol.size);
		}
	}
	if (!id->name)
		id->name = report_printf(r, "%s+0x%llx", base_name(f->path),
					 (unsigned long long)id->offset);
}

static void name_place(struct modules *m, struct report *r, const struct lock_facts *f,
		       struct lock_identity *id)
{
	const struct locks_place *p = &f->mark.place;

	/* shared memory without a name is a file of the kernel's own, dev/zero */
	if (in_file(p) && f->path[0] == '/' && strncmp(f->path, "/dev/zero", 9) != 0)
		name_variable(m, r, f, id);
	else
		id->name = area_names[p->area <= AREA_ANONYMOUS ? p->area : AREA_UNKNOWN];
}

/* ---- who waits for it ---- */

static const char *function_at(struct module *module, const struct locks_place *code, uint64_t ip)
{
	uint64_t offset = ip - code->start + code->offset;
	struct elf_symbol symbol;
	const char *name = NULL;
	uint64_t address;

	for (size_t i = 0; i < module->nmemo; i++)
		if (module->memo[i].address == offset)
			return module->memo[i].name;
	if (elf_symbols_address(module->elf, offset, false, &address) &&
	    elf_symbols_find(module->elf, ELF_FUNCTION, address, &symbol))
		name = symbol.name;
	if (module->nmemo < MEMO)
		module->memo[module->nmemo++] = (struct memo){ offset, name };
	return name;
}

/* The C library's own way into the kernel, of which its callers are what tells. */
static bool is_wrapper(const char *name)
{
	return !strncmp(name, "__futex", 7) || !strncmp(name, "__lll_", 6) ||
	       !strncmp(name, "__GI___", 7);
}

/*
 * The first word on the stack that lies in a function which waits for one kind of lock. Words
 * that are no return address may look like one; those of a wait stand nearest to the top.
 */
static void find_caller(struct modules *m, struct report *r, const struct lock_facts *f,
			struct lock_identity *id)
{
	const struct locks_place *code = &f->mark.code;
	struct module *module =
		code->area == AREA_FILE ? module_of(m, f->code_path, code->inode, f->pid) : NULL;
	const char *name = module ? function_at(module, code, f->mark.ip) : NULL;

	/* a program that makes the call by syscall() is its own C library */
	if (!module || (name && !strcmp(name, "syscall")))
		return;
	if (name && lock_kind_of_caller(name) != LOCK_FUTEX) {
		id->caller = report_printf(r, "%s", name);
		id->kind = lock_kind_of_caller(name);
		return;
	}
	for (int i = 0; i < MARK_WORDS && id->kind == LOCK_FUTEX; i++) {
		uint64_t word = f->mark.words[i];

		if (word <= code->start || word >= code->end)
			continue;
		name = function_at(module, code, word - 1);
		if (!name || is_wrapper(name))
			continue;
		id->kind = lock_kind_of_caller(name);
		if (!id->caller || id->kind != LOCK_FUTEX)
			id->caller = report_printf(r, "%s", name);
	}
}

/* What the instruction before a return address called. */
static const char *called_at(struct modules *m, const struct lock_facts *f, int i)
{
	const struct locks_return *to = &f->mark.returns[i];
	struct module *module =
		to->address ? module_of(m, f->return_path[i], to->place.inode, f->pid) : NULL;
	uint64_t address;

	if (!module ||
	    !elf_symbols_address(module->elf, to->address - to->place.start + to->place.offset,
				 false, &address))
		return NULL;
	return elf_symbols_called(module->elf, address);
}

/* The C library's functions may jump to others; but who called it says by which name. */
static void find_called(struct modules *m, struct report *r, const struct lock_facts *f,
			struct lock_identity *id)
{
	for (int i = 0; i < MARK_RETURNS && id->kind == LOCK_FUTEX; i++) {
		const char *name = called_at(m, f, i);

		id->kind = lock_kind_of_caller(name);
		if (id->kind != LOCK_FUTEX)
			id->caller = report_printf(r, "%s", name);
	}
}

static void find_kind(struct modules *m, struct report *r, const struct lock_facts *f,
		      struct lock_identity *id)
{
	struct mutex_view view;

	find_caller(m, r, f, id);
	if (id->kind == LOCK_FUTEX)
		find_called(m, r, f, id);
	/*
	 * pthread_cond_wait takes its mutex again by the mutex's own operation; pthread_cond_signal
	 * and _broadcast wait by it for those whom they woke before.
	 */
	if (id->kind == LOCK_CONDITION && f->mark.op == OP_WAIT && strstr(id->caller, "wait"))
		id->kind = LOCK_MUTEX;
	if (id->kind != LOCK_FUTEX) {
		id->evidence = report_printf(r, "waited for in %s", id->caller);
		return;
	}
	if (!strncmp(f->path, "/dev/shm/sem.", 13)) {
		id->kind = LOCK_SEMAPHORE;
		id->evidence = "lies in a file of sem_open";
	} else if (f->mark.op != OP_WAIT_BITSET && mutex_decode(f->mark.bytes, MARK_BYTES, &view) &&
		   view.owner) {
		id->kind = LOCK_MUTEX;
		id->evidence = "its memory is that of a pthread_mutex_t with an owner";
	}
}

void lock_identify(struct modules *m, struct report *r, const struct lock_facts *facts,
		   struct lock_identity *identity)
{
	*identity = (struct lock_identity){ .kind = LOCK_FUTEX };
	find_kind(m, r, facts, identity);
	name_place(m, r, facts, identity);
}
