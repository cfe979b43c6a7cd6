/* SPDX-License-Identifier: BSD-2-Clause */
/* One pass through /proc/kallsyms; see kallsyms.h. The table is in kallsyms_table.c. */
#include "kallsyms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kallsyms_line.h"

static int by_address(const void *a, const void *b)
{
	const struct kernel_place *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* The first place at or behind the address. */
static size_t first_from(const struct kernel_place *places, size_t n, uint64_t address)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (places[mid].address < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool kallsyms_line(const char *text, struct kallsyms_line *line)
{
	const char *at;
	char *end;

	line->address = strtoull(text, &end, 16);
	if (*end != ' ' || !end[1] || !strchr("tTwW", end[1]) || end[2] != ' ')
		return false;
	line->type = end[1];
	line->name = end + 3;
	line->name_len = strcspn(line->name, " \t\n");
	at = line->name + line->name_len;
	at += strspn(at, " \t");
	line->module = *at == '[' ? at : NULL;
	line->module_len = line->module ? strcspn(at, "]\n") : 0;
	if (line->module && at[line->module_len] == ']')
		line->module_len++;
	return line->name_len > 0;
}

int kallsyms_read(FILE *f, struct kernel_place *places, size_t n)
{
	struct kallsyms_line line;
	bool shown = false;
	char text[1024];

	qsort(places, n, sizeof(*places), by_address);
	while (fgets(text, sizeof(text), f)) {
		size_t i;

		if (!kallsyms_line(text, &line))
			continue;
		shown |= line.address != 0;
		i = first_from(places, n, line.address);
		if (!line.address || i == n || line.address < places[i].symbol)
			continue;
		places[i].symbol = line.address;
		snprintf(places[i].name, sizeof(places[i].name), "%.*s", (int)line.name_len,
			 line.name);
	}
	/* a symbol is kept with the first place behind it: those after may lie in it too */
	for (size_t i = 1; i < n; i++) {
		if (places[i].symbol >= places[i - 1].symbol)
			continue;
		places[i].symbol = places[i - 1].symbol;
		memcpy(places[i].name, places[i - 1].name, sizeof(places[i].name));
	}
	return shown ? 0 : -EPERM;
}

int kallsyms_name(struct kernel_place *places, size_t n)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	int err;

	if (!f)
		return -errno;
	err = kallsyms_read(f, places, n);
	fclose(f);
	return err;
}
