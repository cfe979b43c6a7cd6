/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * By libiberty. A name of a hundred bytes can stand for one of gigabytes, as parts of it refer to
 * earlier parts: the demanglers of C++ and Rust tell us piece by piece and are left when it is
 * enough; that of D does not, and gets only names with few such references.
 */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANGLED_MAX 4096
#define D_REFERENCES 20

struct text {
	char *to;
	size_t len, room;
	jmp_buf enough;
};

static void add(const char *piece, size_t len, void *ctx)
{
	struct text *t = ctx;

	if (len >= t->room - t->len)
		longjmp(t->enough, 1);
	memcpy(t->to + t->len, piece, len);
	t->len += len;
	t->to[t->len] = '\0';
}

static bool of_rust_or_cxx(const char *name, char *to, size_t room)
{
	const int options = DMGL_PARAMS | DMGL_ANSI;
	struct text t = { .to = to, .room = room };

	if (setjmp(t.enough))
		return false;
	if (rust_demangle_callback(name, options, add, &t))
		return true;
	t.len = 0;
	return cplus_demangle_v3_callback(name, options, add, &t);
}

static bool of_d(const char *name, char *to, size_t room)
{
	unsigned references = 0;
	char *text;
	int len = -1;

	for (const char *at = name; *at; at++)
		references += *at == 'Q';
	text = references <= D_REFERENCES ? dlang_demangle(name, DMGL_PARAMS | DMGL_ANSI) : NULL;
	if (text)
		len = snprintf(to, room, "%s", text);
	free(text);
	return len >= 0 && (size_t)len < room;
}

/*
 * Where the name ends and what was put behind it begins: a dot or an at-sign, but for the two
 * dots that Rust writes for "::".
 */
static size_t base_length(const char *symbol)
{
	for (size_t i = 1; symbol[i]; i++) {
		if (symbol[i] == '@')
			return i;
		if (symbol[i] == '.' && symbol[i + 1] != '.' && symbol[i - 1] != '.')
			return i;
	}
	return strlen(symbol);
}

bool demangle(const char *symbol, char to[static DEMANGLED_MAX])
{
	char name[MANGLED_MAX];
	size_t len, room = DEMANGLED_MAX;
	const char *suffix;
	bool done;

	if (symbol[0] != '_' || !symbol[1] || !strchr("ZRD", symbol[1]))
		return false;
	len = base_length(symbol);
	if (len >= sizeof(name))
		return false;
	memcpy(name, symbol, len);
	name[len] = '\0';
	suffix = symbol + len;
	if (!strncmp(suffix, ".llvm.", 6))
		suffix += 6 + strspn(suffix + 6, "0123456789");
	if (strlen(suffix) >= room / 2)
		return false;
	room -= strlen(suffix);
	done = symbol[1] == 'D' ? of_d(name, to, room) : of_rust_or_cxx(name, to, room);
	if (done)
		memcpy(to + strlen(to), suffix, strlen(suffix) + 1);
	return done;
}
