/* SPDX-License-Identifier: BSD-2-Clause */
/* Which file, which table, what name; see names.h. */
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "code_file.h"
#include "demangle.h"
#include "err.h"
#include "interned.h"
#include "jit.h"
#include "kallsyms.h"
#include "stacks.h"

#define PLACES_MAX (1U << 18)

struct file {
	struct code_file *code;
	const char *module; /* interned */
};

struct place_key {
	uint64_t frame;
	uint64_t proc_id; /* of RAW frames, else 0 */
};

struct place {
	struct place_key key;
	uint32_t generation; /* of the process's JIT code */
	bool named;          /* by a function */
	size_t n;
	const struct stack_frame **frames;
	UT_hash_handle hh;
};

struct names {
	bool inlined;
	struct interned *interned;
	struct code_files code;
	struct file *files; /* by number */
	size_t nfiles;
	struct place *places;
	struct jits jits;
	struct kallsyms *kernel;
	bool kernel_read;
	const struct stack_frame *full; /* stands for all that does not fit any more */
	struct names_counts counts;
};

struct names *names_open(bool inlined)
{
	static const char full[] = "[too many places to name]";
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->inlined = inlined;
	n->interned = interned_open();
	if (n->interned)
		n->full = names_mark(n, STACK_FRAME_MARK, full, NULL, NULL, 0);
	if (n->full)
		return n;
	names_close(n);
	return NULL;
}

void names_close(struct names *n)
{
	struct place *p, *next;

	if (!n)
		return;
	HASH_ITER(hh, n->places, p, next) {
		HASH_DEL(n->places, p);
		free(p);
	}
	kallsyms_close(n->kernel);
	code_files_close(&n->code);
	jits_close(&n->jits);
	free(n->files);
	interned_close(n->interned);
	free(n);
}

void names_count(const struct names *n, struct names_counts *counts)
{
	*counts = n->counts;
	counts->files_lost += n->code.cut;
	counts->inlined_lost = n->code.dwarf_cut;
	counts->kernel_lost = n->kernel ? kallsyms_lost(n->kernel) : 0;
	counts->jit_lost = jits_lost(&n->jits);
	counts->roots_lost += n->jits.roots_lost;
}

/* ---- files ---- */

bool names_has_file(const struct names *n, uint32_t file)
{
	return file < n->nfiles && n->files[file].code;
}

static const char *module_of(struct names *n, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base && base[1] ? base + 1 : path;
	return interned_string(n->interned, base, strlen(base));
}

static int make_room(struct names *n, uint32_t file)
{
	size_t room = n->nfiles ? n->nfiles : 64;
	struct file *files;

	while (room <= file)
		room *= 2;
	if (room == n->nfiles)
		return 0;
	files = reallocarray(n->files, room, sizeof(*files));
	if (!files)
		return err_set(-ENOMEM, "no room for file %u", file);
	memset(files + n->nfiles, 0, (room - n->nfiles) * sizeof(*files));
	n->files = files;
	n->nfiles = room;
	return 0;
}

static int set_file(struct names *n, uint32_t file, struct code_file *code, const char *path)
{
	const char *module = module_of(n, path);
	int err = file < FRAME_FILES ? make_room(n, file) : err_set(-EINVAL, "file %u", file);

	if (!err && !module)
		err = err_set(-ENOSPC, "no room for the name of file %u", file);
	if (err)
		return err;
	n->files[file] = (struct file){ code, module };
	n->counts.files++;
	return 0;
}

int names_file(struct names *n, uint32_t file, int fd, const char *path, int root_fd)
{
	struct code_file *code;
	int err, root;

	if (names_has_file(n, file))
		return 0;
	root = roots_number(&n->code.roots, root_fd);
	n->counts.roots_lost += root == ROOT_LOST;
	code = code_files_add(&n->code, fd, path, root, &err);
	if (code)
		err = set_file(n, file, code, path);
	n->counts.files_lost += err != 0;
	return err;
}

int names_process(struct names *n, const struct jit_owner *who)
{
	return jits_read(&n->jits, &n->code.roots, who);
}

/* ---- places ---- */

struct naming {
	struct stack_frame frame;
	bool named;
	uint32_t generation;
	struct code_file *code; /* and frame.address in it */
};

static const char *plus(struct names *n, const char *module, uint64_t offset)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "%.480s+0x%llx", module, (unsigned long long)offset);

	return interned_string(n->interned, text, (size_t)len);
}

static const char *function_name(struct names *n, const char *symbol)
{
	char readable[DEMANGLED_MAX];

	if (demangle(symbol, readable))
		symbol = readable;
	return interned_string(n->interned, symbol, strlen(symbol));
}

/* The file of that number; the vdso is known without being told. NULL: not told. */
static const struct file *file_of(struct names *n, uint32_t number)
{
	struct code_file *vdso;

	if (!names_has_file(n, number) && number == FRAME_FILE_VDSO) {
		vdso = code_files_vdso(&n->code);
		if (vdso)
			set_file(n, number, vdso, "[vdso]");
	}
	return names_has_file(n, number) ? &n->files[number] : NULL;
}

static void name_in_file(struct names *n, uint64_t frame, struct naming *to)
{
	uint32_t number = (uint32_t)(frame >> FRAME_FILE_SHIFT) & (FRAME_FILES - 1);
	const struct file *file = file_of(n, number);
	uint64_t offset = frame & FRAME_OFFSET_MASK, start;
	const char *symbol = NULL;

	if (!(frame & FRAME_EXACT) && offset)
		offset--; /* in the call, whose next instruction may be another function's */
	to->frame.kind = STACK_FRAME_USER;
	to->frame.address = offset;
	if (!file) {
		to->frame.name = plus(n, "[unknown file]", offset);
		n->counts.untold++;
		return;
	}
	if (code_file_address(file->code, offset, &to->frame.address)) {
		to->code = file->code;
		symbol = code_file_function(&n->code, file->code, to->frame.address);
	}
	to->named = symbol;
	to->frame.module = file->module;
	start = to->frame.address;
	if (!symbol && to->code) /* without a name it is still one function */
		code_file_start(&n->code, file->code, to->frame.address, &start);
	to->frame.name = symbol ? function_name(n, symbol) : plus(n, file->module, start);
}

static void name_in_kernel(struct names *n, uint64_t address, struct naming *to)
{
	const char *module = NULL, *symbol;

	if (!n->kernel_read) {
		n->kernel = kallsyms_open();
		n->kernel_read = true;
	}
	symbol = n->kernel ? kallsyms_find(n->kernel, address, &module) : NULL;
	to->named = symbol;
	to->frame.kind = STACK_FRAME_KERNEL;
	to->frame.address = address;
	module = module ? module : "[kernel]";
	to->frame.module = interned_string(n->interned, module, strlen(module));
	to->frame.name = symbol ? function_name(n, symbol) : plus(n, module, address);
}

static void name_in_memory(struct names *n, uint64_t frame, uint32_t proc_id, struct naming *to)
{
	uint64_t address = frame & FRAME_RAW_MASK;
	const char *symbol;

	to->frame.address = frame & FRAME_EXACT || !address ? address : address - 1;
	symbol = jits_function(&n->jits, proc_id, to->frame.address);
	to->generation = jits_generation(&n->jits, proc_id);
	to->named = symbol;
	to->frame.kind = symbol ? STACK_FRAME_JIT : STACK_FRAME_USER;
	to->frame.module = symbol ? interned_string(n->interned, "[jit]", 5) : NULL;
	to->frame.name =
		symbol ? function_name(n, symbol) : plus(n, "[anonymous]", to->frame.address);
}

static void name_place(struct names *n, uint64_t frame, uint32_t proc_id, struct naming *to)
{
	memset(to, 0, sizeof(*to));
	switch (frame >> FRAME_KIND_SHIFT) {
	case FRAME_FILE:
		name_in_file(n, frame, to);
		break;
	case FRAME_KERNEL:
		name_in_kernel(n, frame, to);
		break;
	case FRAME_RAW:
		name_in_memory(n, frame, proc_id, to);
		break;
	default:
		to->frame.kind = STACK_FRAME_PYTHON;
		to->frame.name = plus(n, "[python]", frame & FRAME_RAW_MASK);
	}
}

static const char *keep_path(struct names *n, const char *path)
{
	return path ? interned_string(n->interned, path, strlen(path)) : NULL;
}

/*
 * What debug information says of the place, leaf first; 0: nothing. The function itself has the
 * name of its symbol, if there is one.
 */
static size_t unfold(struct names *n, struct naming *place,
		     const struct stack_frame *to[INLINED_DEPTH])
{
	struct inlined_frame frames[INLINED_DEPTH];
	size_t depth = code_file_inlined(&n->code, place->code, place->frame.address, frames);

	for (size_t i = 0; i < depth; i++) {
		struct stack_frame frame = place->frame;
		bool last = i + 1 == depth;

		if (frames[i].function && !(last && place->named))
			frame.name = function_name(n, frames[i].function);
		place->named |= last && frames[i].function;
		frame.path = keep_path(n, frames[i].path);
		frame.line = frames[i].line;
		frame.kind = last ? STACK_FRAME_USER : STACK_FRAME_INLINED;
		to[i] = frame.name ? interned_frame(n->interned, &frame) : NULL;
		if (!to[i])
			return 0;
	}
	return depth;
}

/* Gives the place its frames; false: no room, it has those that it had. */
static bool set_frames(struct names *n, struct place *p)
{
	const struct stack_frame *frames[INLINED_DEPTH];
	struct naming naming;
	size_t depth = 0;

	name_place(n, p->key.frame, (uint32_t)p->key.proc_id, &naming);
	if (n->inlined && naming.code)
		depth = unfold(n, &naming, frames);
	if (!depth) {
		frames[0] = naming.frame.name ? interned_frame(n->interned, &naming.frame) : NULL;
		depth = frames[0] != NULL;
	}
	if (depth > p->n) /* else there is room: JIT code gets another name in its place */
		p->frames = interned_alloc(n->interned, depth * sizeof(frames[0]));
	if (!depth || !p->frames)
		return false;
	memcpy(p->frames, frames, depth * sizeof(frames[0]));
	p->n = depth;
	p->named = naming.named;
	p->generation = naming.generation;
	return true;
}

static struct place *add_place(struct names *n, const struct place_key *key)
{
	struct place *p = HASH_COUNT(n->places) < PLACES_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->key = *key;
	if (!set_frames(n, p)) {
		free(p);
		return NULL;
	}
	HASH_ADD(hh, n->places, key, sizeof(p->key), p);
	n->counts.frames++;
	n->counts.unnamed += !p->named;
	n->counts.jit_unnamed += key->proc_id && !p->named;
	return p;
}

/* JIT code may have been made, or told of, since the place was asked for. */
static void name_again(struct names *n, struct place *p)
{
	bool named = p->named;

	if (jits_generation(&n->jits, (uint32_t)p->key.proc_id) == p->generation)
		return;
	set_frames(n, p);
	n->counts.unnamed += (uint64_t)named - (uint64_t)p->named;
	n->counts.jit_unnamed += (uint64_t)named - (uint64_t)p->named;
}

size_t names_frames(struct names *n, uint64_t frame, uint32_t proc_id,
		    const struct stack_frame *const **frames)
{
	bool raw = frame >> FRAME_KIND_SHIFT == FRAME_RAW;
	struct place_key key;
	struct place *p;

	memset(&key, 0, sizeof(key));
	key.frame = frame;
	key.proc_id = raw ? proc_id : 0;
	HASH_FIND(hh, n->places, &key, sizeof(key), p);
	if (!p)
		p = add_place(n, &key);
	else if (raw)
		name_again(n, p);
	if (!p) {
		n->counts.lost++;
		*frames = &n->full;
		return 1;
	}
	*frames = (const struct stack_frame *const *)p->frames;
	return p->n;
}

const struct stack_frame *names_mark(struct names *n, enum stack_frame_kind kind, const char *name,
				     const char *module, const char *path, uint32_t line)
{
	struct interned *p = n->interned;
	struct stack_frame frame = { .kind = (uint8_t)kind, .line = line };
	const struct stack_frame *mark;

	frame.name = interned_string(p, name, strlen(name));
	frame.module = module ? interned_string(p, module, strlen(module)) : NULL;
	frame.path = path ? interned_string(p, path, strlen(path)) : NULL;
	mark = frame.name ? interned_frame(p, &frame) : NULL;
	if (mark)
		return mark;
	n->counts.lost++;
	return n->full;
}
