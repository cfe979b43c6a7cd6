/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The embedded object made ready for this kernel, once for all that open it; see image.h.
 *
 * - Types: libbpf relocates against a slice of the kernel's BTF (btf_slice.h), whose numbers
 *   are not the kernel's. So relocations that ask for a type's number in the kernel are done
 *   here, and taken off the object's list (.BTF.ext).
 * - Calls of KREAD_CAST become calls of the kernel's function (bpf/kread.h).
 * - Hooks: handlers for the sections tell libbpf the number of what a program attaches to.
 *
 * When the kernel's BTF cannot be read here, nothing of this is done: libbpf tries.
 */
#include "image.h"

#include <bpf/bpf.h>
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "btf_slice.h"
#include "kernel_btf.h"
#include "kread.h"
#include "raw_btf.h"

extern const unsigned char dwell_bpf_start[], dwell_bpf_end[];
extern const unsigned char dwell_hash_bpf_start[], dwell_hash_bpf_end[];

struct image {
	char *data; /* NULL: not made yet */
	size_t size;
	int slice; /* memory file; -1: none */
};

static struct image images[2]; /* by hash */

struct section {
	char *data;
	size_t size;
};

/* Looks for sections while their names are at hand. */
struct elf_file {
	struct image *image;
	Elf *elf;
	size_t names;
};

static struct section section_at(const struct elf_file *f, Elf_Scn *scn, const char **name,
				 bool *code)
{
	struct section s = { NULL, 0 };
	GElf_Shdr h;

	*name = NULL;
	if (!gelf_getshdr(scn, &h) || h.sh_type == SHT_NOBITS || h.sh_offset > f->image->size ||
	    h.sh_size > f->image->size - h.sh_offset)
		return s;
	*name = elf_strptr(f->elf, f->names, h.sh_name);
	*code = h.sh_flags & SHF_EXECINSTR;
	s.data = f->image->data + h.sh_offset;
	s.size = h.sh_size;
	return s;
}

static struct section section_named(const struct elf_file *f, const char *wanted)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(f->elf, scn))) {
		const char *name;
		bool code;
		struct section s = section_at(f, scn, &name, &code);

		if (name && !strcmp(name, wanted))
			return s;
	}
	return (struct section){ NULL, 0 };
}

/* ---- numbers of the kernel's ---- */

static void point_cast(struct section code, uint32_t function)
{
	struct bpf_insn *insn = (struct bpf_insn *)code.data;

	for (size_t i = 0; i < code.size / sizeof(*insn); i++) {
		if (insn[i].code != (BPF_JMP | BPF_CALL) || insn[i].src_reg ||
		    insn[i].imm != KREAD_CAST)
			continue;
		insn[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
		insn[i].imm = (int)function;
	}
}

static void point_casts(const struct elf_file *f)
{
	uint32_t function = kernel_btf_function("bpf_rdonly_cast");
	Elf_Scn *scn = NULL;

	/* else the calls are never reached, and the kernel does not look at them */
	while (function && (scn = elf_nextscn(f->elf, scn))) {
		const char *name;
		bool code = false;
		struct section s = section_at(f, scn, &name, &code);

		if (name && code)
			point_cast(s, function);
	}
}

/* .BTF.ext: this header; from info_off on the size of a record, then by section: */
struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;
	uint32_t func_off, func_len, line_off, line_len;
	uint32_t core_off, core_len;
};

struct ext_section {
	uint32_t name_off, count;
	/* count records */
};

static uint32_t kernel_number(const struct raw_btf *object, uint32_t id)
{
	const struct btf_type *t = raw_btf_type(object, id);
	const char *name = t ? raw_btf_string(object, t->name_off) : "";
	char plain[128];
	int n = snprintf(plain, sizeof(plain), "%.*s", (int)btf_slice_name_len(name), name);

	return t && n < (int)sizeof(plain)
		       ? raw_btf_find(kernel_btf(), plain, BTF_INFO_KIND(t->info))
		       : 0;
}

/* Whether the relocation was one for a type's number, which now stands in the code. */
static bool put_number(const struct raw_btf *object, struct section code,
		       const struct bpf_core_relo *r)
{
	struct bpf_insn *insn = (struct bpf_insn *)(code.data + r->insn_off);

	if (r->kind != BPF_CORE_TYPE_ID_TARGET || r->insn_off >= code.size)
		return false;
	insn->imm = (int)kernel_number(object, r->type_id); /* 0: the kernel refuses it, if used */
	return true;
}

/* Writes the relocations that stay to `to`; returns where the next section's go. */
static char *keep_relocations(const struct elf_file *f, const struct raw_btf *object,
			      const struct ext_section *from, uint32_t step, char *to)
{
	struct section code = section_named(f, raw_btf_string(object, from->name_off));
	struct ext_section head = { from->name_off, 0 };
	const char *record = (const char *)(from + 1);
	char *at = to + sizeof(head);

	for (uint32_t i = 0, n = from->count; i < n; i++, record += step) {
		if (put_number(object, code, (const struct bpf_core_relo *)record))
			continue;
		memmove(at, record, step);
		at += step;
		head.count++;
	}
	if (!head.count)
		return to;
	memcpy(to, &head, sizeof(head));
	return at;
}

static void put_numbers(const struct elf_file *f, const struct raw_btf *object)
{
	struct section ext = section_named(f, ".BTF.ext");
	struct ext_header *h = (struct ext_header *)ext.data;
	char *from, *to, *end;
	uint32_t step;

	if (ext.size < sizeof(*h) || h->hdr_len < sizeof(*h) ||
	    (size_t)h->hdr_len + h->core_off + h->core_len > ext.size || h->core_len < sizeof(step))
		return;
	from = ext.data + h->hdr_len + h->core_off;
	end = from + h->core_len;
	memcpy(&step, from, sizeof(step));
	from += sizeof(step);
	to = from;
	while (step >= sizeof(struct bpf_core_relo) && from < end) {
		struct ext_section head;

		memcpy(&head, from, sizeof(head));
		to = keep_relocations(f, object, (const struct ext_section *)from, step, to);
		from += sizeof(head) + (size_t)head.count * step;
	}
	h->core_len -= (uint32_t)(end - to);
}

/* ---- the slice ---- */

static int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("dwell-btf", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, data, size) != (ssize_t)size) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void resolve(struct image *image, const struct elf_file *f)
{
	struct section bytes = section_named(f, ".BTF");
	struct raw_btf object = { 0 };
	size_t size = 0;
	void *slice;

	if (!bytes.data || raw_btf_over(&object, bytes.data, bytes.size))
		return;
	slice = btf_slice(&object, kernel_btf(), &size);
	image->slice = slice ? memory_file(slice, size) : -1;
	if (image->slice >= 0) {
		put_numbers(f, &object);
		point_casts(f);
	}
	free(slice);
	raw_btf_close(&object);
}

/* ---- the hooks ---- */

static _Thread_local struct {
	void (*call)(void *ctx);
	void *ctx;
} on_first;

void image_on_first_program(void (*call)(void *ctx), void *ctx)
{
	on_first.call = call;
	on_first.ctx = ctx;
}

static int tell_hook(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long kind)
{
	const char *name = strchr(bpf_program__section_name(prog), '/');
	char iterator[64];

	if (on_first.call)
		on_first.call(on_first.ctx);
	on_first.call = NULL;
	if (!name)
		return -EINVAL;
	snprintf(iterator, sizeof(iterator), "bpf_iter_%s", name + 1);
	if (kind == BPF_TRACE_RAW_TP)
		opts->attach_btf_id = kernel_btf_tracepoint(name + 1);
	else
		opts->attach_btf_id =
			kernel_btf_function(kind == BPF_TRACE_ITER ? iterator : name + 1);
	/* not earlier: for programs of this type libbpf would read the kernel's BTF */
	return opts->attach_btf_id ? bpf_program__set_type(prog, BPF_PROG_TYPE_TRACING) : -ESRCH;
}

static void register_hooks(void)
{
	static const struct {
		const char *section;
		enum bpf_attach_type type;
	} hooks[] = {
		{ "tp_btf+", BPF_TRACE_RAW_TP },
		{ "fentry+", BPF_TRACE_FENTRY },
		{ "fexit+", BPF_TRACE_FEXIT },
		{ "iter+", BPF_TRACE_ITER },
	};
	static bool done;

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]) && !done; i++) {
		LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = hooks[i].type,
			    .prog_prepare_load_fn = tell_hook);

		/* where it fails libbpf's own handler finds the number, only slower */
		libbpf_register_prog_handler(hooks[i].section, BPF_PROG_TYPE_RAW_TRACEPOINT,
					     hooks[i].type, &opts);
	}
	done = true;
}

/* ---- opening ---- */

int image_prepare(bool hash)
{
	struct image *image = &images[hash];
	const unsigned char *start = hash ? dwell_hash_bpf_start : dwell_bpf_start;
	const unsigned char *end = hash ? dwell_hash_bpf_end : dwell_bpf_end;
	struct elf_file f = { .image = image };

	if (image->data)
		return 0;
	image->slice = -1;
	image->size = (size_t)(end - start);
	image->data = malloc(image->size);
	if (!image->data)
		return -ENOMEM;
	memcpy(image->data, start, image->size);
	if (!kernel_btf()->count)
		return 0;
	elf_version(EV_CURRENT);
	f.elf = elf_memory(image->data, image->size);
	if (f.elf && !elf_getshdrstrndx(f.elf, &f.names))
		resolve(image, &f);
	elf_end(f.elf);
	register_hooks();
	return 0;
}

struct bpf_link *image_attach(struct bpf_program *prog)
{
	return bpf_program__type(prog) == BPF_PROG_TYPE_TRACING ? bpf_program__attach_trace(prog)
								: bpf_program__attach(prog);
}

struct bpf_object *image_open(bool hash)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "dwell");
	struct image *image = &images[hash];
	struct bpf_object *obj;
	struct bpf_program *prog;
	char path[64];
	int err = image_prepare(hash);

	if (err) {
		errno = -err;
		return NULL;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image->slice);
	if (image->slice >= 0)
		opts.btf_custom_path = path;
	obj = bpf_object__open_mem(image->data, image->size, &opts);
	err = (int)libbpf_get_error(obj);
	if (err) {
		errno = -err;
		return NULL;
	}
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, false);
	return obj;
}

/* What is copied from our own file is not wanted again: its pages count as our memory. */
static void forget(const unsigned char *start, const unsigned char *end)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
		  from = ((uintptr_t)start + page - 1) & -page, to = (uintptr_t)end & -page;

	if (from < to)
		madvise((void *)from, to - from,
			MADV_DONTNEED); /* read-only: read again if need be */
}

void image_release(void)
{
	forget(dwell_bpf_start, dwell_bpf_end);
	forget(dwell_hash_bpf_start, dwell_hash_bpf_end);
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		if (images[i].data && images[i].slice >= 0)
			close(images[i].slice);
		free(images[i].data);
		images[i] = (struct image){ .data = NULL };
	}
	kernel_btf_release();
}
