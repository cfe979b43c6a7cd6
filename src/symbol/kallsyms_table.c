/* SPDX-License-Identifier: BSD-2-Clause */
/* All functions of /proc/kallsyms, sorted; see kallsyms.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "elf_gather.h" /* which of several names is the best */
#include "kallsyms.h"
#include "kallsyms_line.h"

#define FUNCTIONS_MAX (1U << 20)
#define NAMES_MAX (64U << 20)

struct kernel_function {
	uint64_t address;
	uint32_t name, module; /* where in names; name 0: no room for it; module 0: none */
	char type;
};

struct kallsyms {
	struct kernel_function *list;
	size_t n, room;
	char *names; /* the first byte is 0 */
	size_t nnames, names_room;
	uint32_t module; /* the last one: they come in a row */
	uint64_t lost;
};

void kallsyms_close(struct kallsyms *k)
{
	if (!k)
		return;
	free(k->list);
	free(k->names);
	free(k);
}

/* Where the text stands in names; 0: no room. */
static uint32_t keep(struct kallsyms *k, const char *text, size_t len)
{
	uint32_t at = (uint32_t)k->nnames;

	if (k->nnames + len + 1 > k->names_room) {
		size_t room = 2 * k->names_room + len + 65536;
		char *names = room <= NAMES_MAX ? realloc(k->names, room) : NULL;

		if (!names)
			return 0;
		k->names = names;
		k->names_room = room;
	}
	memcpy(k->names + at, text, len);
	k->names[at + len] = '\0';
	k->nnames += len + 1;
	return at;
}

static uint32_t keep_module(struct kallsyms *k, const struct kallsyms_line *line)
{
	const char *last = k->names + k->module;

	if (!line->module)
		return 0;
	if (strlen(last) != line->module_len || memcmp(last, line->module, line->module_len) != 0)
		k->module = keep(k, line->module, line->module_len);
	return k->module;
}

/* One without a name is kept, so that its code has not the name of the one before it. */
static void add(struct kallsyms *k, const struct kallsyms_line *line)
{
	if (k->n == k->room) {
		size_t room = k->room ? 2 * k->room : 65536;
		struct kernel_function *list;

		list = room <= FUNCTIONS_MAX ? reallocarray(k->list, room, sizeof(*list)) : NULL;
		if (!list) {
			k->lost++;
			return;
		}
		k->list = list;
		k->room = room;
	}
	k->list[k->n].address = line->address;
	k->list[k->n].type = line->type;
	k->list[k->n].module = keep_module(k, line);
	k->list[k->n].name = keep(k, line->name, line->name_len);
	k->lost += !k->list[k->n++].name;
}

/* By address, the best name of each first. */
static int by_address(const void *one, const void *other, void *ctx)
{
	const struct kernel_function *a = one, *b = other;
	const char *names = ctx;
	struct elf_function x = { .name = names + a->name }, y = { .name = names + b->name };

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	x.len = (uint16_t)strlen(x.name);
	y.len = (uint16_t)strlen(y.name);
	x.local = a->type == 't';
	y.local = b->type == 't';
	x.weak = strchr("wW", a->type);
	y.weak = strchr("wW", b->type);
	return elf_function_merit(&x, &y);
}

static void sort(struct kallsyms *k)
{
	size_t kept = 0;

	qsort_r(k->list, k->n, sizeof(*k->list), by_address, k->names);
	for (size_t i = 0; i < k->n; i++)
		if (!i || k->list[i].address != k->list[i - 1].address)
			k->list[kept++] = k->list[i];
	k->n = kept;
}

struct kallsyms *kallsyms_load(FILE *f)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	struct kallsyms_line line;
	char text[1024];

	if (!k)
		return NULL;
	keep(k, "", 0);
	while (k->names && fgets(text, sizeof(text), f))
		if (kallsyms_line(text, &line) && line.address)
			add(k, &line);
	if (!k->n) {
		kallsyms_close(k);
		return NULL;
	}
	sort(k);
	return k;
}

struct kallsyms *kallsyms_open(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	struct kallsyms *k;

	if (!f)
		return NULL;
	k = kallsyms_load(f);
	fclose(f);
	return k;
}

const char *kallsyms_find(const struct kallsyms *k, uint64_t address, const char **module)
{
	size_t low = 0, high = k->n;
	const struct kernel_function *f;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->list[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	f = &k->list[low - 1];
	if (address - f->address >= KALLSYMS_REACH)
		return NULL;
	*module = f->module ? k->names + f->module : NULL;
	return f->name ? k->names + f->name : NULL;
}

uint64_t kallsyms_lost(const struct kallsyms *k)
{
	return k->lost;
}
