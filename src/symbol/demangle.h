/* SPDX-License-Identifier: BSD-2-Clause */
/* Names as programmers wrote them: of C++, Rust (both manglings) and D. */
#ifndef DWELL_DEMANGLE_H
#define DWELL_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

#define DEMANGLED_MAX 16384

/*
 * What compiler and linker put behind a name stays: `.cold`, `.constprop.0`, `@plt`; but not
 * `.llvm.` and its number. False: it is not mangled, or becomes too long: show it as it is.
 */
bool demangle(const char *symbol, char to[static DEMANGLED_MAX]);

#endif
