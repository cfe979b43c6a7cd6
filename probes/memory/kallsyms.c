/* SPDX-License-Identifier: BSD-2-Clause */
/* One pass through /proc/kallsyms; see kallsyms.h. */
#include "kallsyms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

/* "ffffffff81000000 T _stext" or with "\t[module]" behind. */
static bool take_line(const char *line, uint64_t *address, char name[KALLSYMS_NAME])
{
	char *end;

	*address = strtoull(line, &end, 16);
	if (*end != ' ' || !end[1] || !strchr("tTwW", end[1]) || end[2] != ' ')
		return false;
	snprintf(name, KALLSYMS_NAME, "%.*s", (int)strcspn(end + 3, " \t\n"), end + 3);
	return true;
}

int kallsyms_read(FILE *f, struct kernel_place *places, size_t n)
{
	char line[512], name[KALLSYMS_NAME];
	uint64_t address;
	bool shown = false;

	qsort(places, n, sizeof(*places), by_address);
	while (fgets(line, sizeof(line), f)) {
		size_t i;

		if (!take_line(line, &address, name))
			continue;
		shown |= address != 0;
		i = first_from(places, n, address);
		if (!address || i == n || address < places[i].symbol)
			continue;
		places[i].symbol = address;
		memcpy(places[i].name, name, sizeof(name));
	}
	/* a symbol is kept with the first place behind it: those after may lie in it too */
	for (size_t i = 1; i < n; i++) {
		if (places[i].symbol >= places[i - 1].symbol)
			continue;
		places[i].symbol = places[i - 1].symbol;
		memcpy(places[i].name, places[i - 1].name, sizeof(name));
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
