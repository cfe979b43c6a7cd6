/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BTF as it lies in memory: types by number and by name. libbpf's reader copies and checks the
 * kernel's five megabytes (10 ms here) and looks for a name through all of them; this one maps
 * the file where the kernel lets it (6.16) and makes an index of names (2 ms).
 */
#ifndef DWELL_RAW_BTF_H
#define DWELL_RAW_BTF_H

#include <linux/btf.h>
#include <stddef.h>
#include <stdint.h>

struct raw_btf {
	const char *types, *strings;
	uint32_t strings_size;
	uint32_t count;  /* of types; numbers go from 1 */
	uint32_t *at;    /* by number: where in `types` */
	uint32_t *slots; /* hash of names: numbers of types, 0: free */
	uint32_t mask;
	void *file; /* what raw_btf_open() has to give back */
	size_t file_size;
	int mapped;
};

/* 0, or -errno. */
int raw_btf_open(struct raw_btf *b, const char *path);
/* Over bytes of the caller's, which stay his. */
int raw_btf_over(struct raw_btf *b, const void *data, size_t size);
void raw_btf_close(struct raw_btf *b);

/* NULL for 0 (void) and for what is not there. */
const struct btf_type *raw_btf_type(const struct raw_btf *b, uint32_t id);
const char *raw_btf_string(const struct raw_btf *b, uint32_t offset);
/* The first type of that name and kind; 0: none. */
uint32_t raw_btf_find(const struct raw_btf *b, const char *name, uint32_t kind);
/* Tells every type of that name, by number. `len`: of the name. */
void raw_btf_each(const struct raw_btf *b, const char *name, size_t len,
		  void (*take)(void *ctx, uint32_t id), void *ctx);
/* Bytes of a type with all that follows it. */
size_t raw_btf_record_size(const struct btf_type *t);

#endif
