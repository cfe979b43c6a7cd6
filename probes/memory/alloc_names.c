/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --alloc: names of those who allocate, by the file that a return address lies in. A file is
 * found by the path that the kernel side has noted; what has no symbol is "module+0xoffset".
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_user.h"
#include "elf_symbols.h"
#include "ledger.h"
#include "object_name.h"

#define FILES_KEPT 64

struct named_file {
	uint64_t inode;
	uint32_t dev;
	char path[512];
	struct elf_symbols *elf; /* NULL: cannot be read */
};

struct alloc_names {
	struct named_file files[FILES_KEPT];
	size_t n;
};

struct alloc_names *alloc_names_new(void)
{
	struct alloc_names *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	return n;
}

void alloc_names_free(struct alloc_names *n)
{
	for (size_t i = 0; n && i < n->n; i++)
		elf_symbols_close(n->files[i].elf);
	free(n);
}

void alloc_path(struct probe *p, uint64_t inode, uint32_t dev, char *path, size_t size)
{
	struct {
		uint64_t a;
		uint32_t b, kind;
	} key = { inode, dev, OBJECT_FILE };
	struct object_name name;

	path[0] = '\0';
	if (!bpf_map_lookup_elem(probe_map_fd(p, "ledger_names"), &key, &name))
		object_path(&name, path, size);
}

static struct named_file *file_of(struct probe *p, struct alloc_names *n, uint64_t inode,
				  uint32_t dev)
{
	struct named_file *file;

	for (size_t i = 0; i < n->n; i++)
		if (n->files[i].inode == inode && n->files[i].dev == dev)
			return &n->files[i];
	if (n->n == FILES_KEPT)
		return NULL;
	file = &n->files[n->n++];
	*file = (struct named_file){ .inode = inode, .dev = dev };
	alloc_path(p, inode, dev, file->path, sizeof(file->path));
	if (file->path[0] == '/')
		file->elf = elf_symbols_open(file->path, inode);
	return file;
}

const char *alloc_name(struct probe *p, struct alloc_names *n, struct report *r, uint64_t inode,
		       uint32_t dev, uint64_t offset, uint64_t address)
{
	struct named_file *file = inode ? file_of(p, n, inode, dev) : NULL;
	const char *module = file && file->path[0] ? strrchr(file->path, '/') : NULL;
	struct elf_symbol symbol;
	uint64_t at;

	if (!file || !module)
		return report_printf(r, "0x%llx", (unsigned long long)address);
	module++;
	/* the call stands before the place that it returns to */
	if (file->elf && elf_symbols_address(file->elf, offset - 1, false, &at)) {
		if (elf_symbols_find(file->elf, ELF_FUNCTION, at, &symbol))
			return report_printf(r, "%s (%s)", symbol.name, module);
		offset = at + 1;
	}
	return report_printf(r, "%s+0x%llx", module, (unsigned long long)offset);
}
