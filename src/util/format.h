/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers and names for people: three significant digits with the unit that reads best,
 * names without anything a terminal would obey, cut to a width. Everything is written
 * into the caller's buffer, which is returned; FORMAT_LEN is enough for every number.
 */
#ifndef DWELL_FORMAT_H
#define DWELL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_LEN 32

/* "0", "870 ns", "12.3 us" (µs in UTF-8), "4.56 ms", "7.89 s", "2m05s", "1h02m", "3d04h". */
char *format_duration(char buf[FORMAT_LEN], uint64_t ns, bool utf8);
/* "99,999", "123 k", "4.56 M", "7.89 G". */
char *format_count(char buf[FORMAT_LEN], uint64_t n);
/* "512 B", "12.3 KiB", "4.56 MiB". */
char *format_bytes(char buf[FORMAT_LEN], uint64_t n);
/* Of part in whole, "45.6 %", "100 %"; "<0.1 %": there but small, ">99.9 %": not all, "-": of 0. */
char *format_share(char buf[FORMAT_LEN], uint64_t part, uint64_t whole);

/*
 * Copies text so that a terminal shows it and does nothing else: bytes that are control
 * or invisible formatting characters, or not UTF-8 (not ASCII, when !utf8), become "\x1b".
 * Cuts at `size` without splitting a character. Returns dst.
 */
char *format_clean(char *dst, size_t size, const char *src, bool utf8);
/* Columns that cleaned text takes on the terminal. */
int format_columns(const char *text);

enum format_cut { CUT_END, CUT_MIDDLE };
/* Shortens cleaned text in place to `columns`, with an ellipsis; `text` has `size` bytes. */
void format_cut(char *text, size_t size, int columns, enum format_cut cut, bool utf8);

/* The same of a function's name: of what is too long, template arguments go first. */
void format_cut_function(char *text, size_t size, int columns, bool utf8);

#define COUNTED_LEN 64
/* "1 read", "1,204 reads". */
char *format_counted(char buf[COUNTED_LEN], uint64_t n, const char *one, const char *many);

#endif
