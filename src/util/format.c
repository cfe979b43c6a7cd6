/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers and names for people. UTF-8 is decoded by utf8.h rather than by the locale, so
 * that text is judged the same wherever dwell runs; only wcwidth() is libc's.
 */
#include "format.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "utf8.h"

#define NS_PER_S 1000000000ULL

/* Three significant digits of value, which is below 999.5. */
static char *three_digits(char *buf, double value, const char *unit)
{
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(buf, FORMAT_LEN, "%.*f %s", decimals, value, unit);
	return buf;
}

char *format_duration(char buf[FORMAT_LEN], uint64_t ns, bool utf8)
{
	uint64_t s = ns / NS_PER_S + (ns % NS_PER_S >= NS_PER_S / 2);

	if (!ns)
		snprintf(buf, FORMAT_LEN, "0");
	else if (ns < 1000)
		snprintf(buf, FORMAT_LEN, "%u ns", (unsigned)ns);
	else if (ns < 999500)
		three_digits(buf, (double)ns / 1e3, utf8 ? "µs" : "us");
	else if (ns < 999500000)
		three_digits(buf, (double)ns / 1e6, "ms");
	else if (ns < 59950000000ULL)
		three_digits(buf, (double)ns / 1e9, "s");
	else if (s < 3600)
		snprintf(buf, FORMAT_LEN, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(buf, FORMAT_LEN, "%uh%02um", (unsigned)(s / 3600),
			 (unsigned)(s % 3600 / 60));
	else
		snprintf(buf, FORMAT_LEN, "%llud%02uh", (unsigned long long)(s / 86400),
			 (unsigned)(s % 86400 / 3600));
	return buf;
}

/* n in units[i], each `base` times the one before; the first that makes it below 999.5. */
static char *scaled(char *buf, uint64_t n, double base, const char *const units[], size_t nunits)
{
	double value = (double)n;
	size_t i = 0;

	while (value >= 999.5 && i + 1 < nunits) {
		value /= base;
		i++;
	}
	return three_digits(buf, value, units[i]);
}

char *format_count(char buf[FORMAT_LEN], uint64_t n)
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };

	if (n < 1000)
		snprintf(buf, FORMAT_LEN, "%u", (unsigned)n);
	else if (n < 100000)
		snprintf(buf, FORMAT_LEN, "%u,%03u", (unsigned)(n / 1000), (unsigned)(n % 1000));
	else
		scaled(buf, n, 1000, units, sizeof(units) / sizeof(*units));
	return buf;
}

char *format_bytes(char buf[FORMAT_LEN], uint64_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	if (n < 1000)
		snprintf(buf, FORMAT_LEN, "%u B", (unsigned)n);
	else
		scaled(buf, n, 1024, units, sizeof(units) / sizeof(*units));
	return buf;
}

char *format_share(char buf[FORMAT_LEN], uint64_t part, uint64_t whole)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!whole)
		snprintf(buf, FORMAT_LEN, "-");
	else if (part == whole)
		snprintf(buf, FORMAT_LEN, "100 %%");
	else if (part && percent < 0.05)
		snprintf(buf, FORMAT_LEN, "<0.1 %%");
	else if (percent >= 99.95 && part < whole)
		snprintf(buf, FORMAT_LEN, ">99.9 %%");
	else
		snprintf(buf, FORMAT_LEN, "%.1f %%", percent);
	return buf;
}

/* One character of valid UTF-8 in *code; its bytes, or 0 when it is not valid. */
static size_t decode(const char *text, uint32_t *code)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = utf8_length(text, strnlen(text, 4));

	*code = len < 2 ? s[0] : s[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++)
		*code = *code << 6 | (s[i] & 0x3f);
	return len;
}

/* Columns of a character; -1 for those that act on the terminal or are not to be seen. */
static int char_columns(uint32_t code)
{
	if (code < 0x80)
		return code < 0x20 || code == 0x7f ? -1 : 1;
	/* zero-width and bidirectional formatting: they make text look like other text */
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2060 && code <= 0x206f) || code == 0xfeff)
		return -1;
	return wcwidth((wchar_t)code);
}

char *format_clean(char *dst, size_t size, const char *src, bool utf8)
{
	size_t used = 0;

	while (*src) {
		uint32_t code;
		size_t len = decode(src, &code);
		bool keep = len && (utf8 || len == 1) && char_columns(code) >= 0;

		if (used + (keep ? len : 4) >= size)
			break;
		if (keep) {
			memcpy(dst + used, src, len);
			used += len;
			src += len;
		} else {
			snprintf(dst + used, size - used, "\\x%02x", (unsigned char)*src++);
			used += 4;
		}
	}
	dst[used] = '\0';
	return dst;
}

/* Bytes of the first `columns` columns of cleaned text, with the marks that belong to them. */
static size_t bytes_of(const char *text, int columns)
{
	size_t used = 0;
	uint32_t code;

	while (text[used]) {
		size_t len = decode(text + used, &code);
		int wide = len ? char_columns(code) : 1;

		columns -= wide < 0 ? 1 : wide;
		if (columns < 0)
			break;
		used += len ? len : 1;
	}
	return used;
}

int format_columns(const char *text)
{
	int columns = 0;

	while (*text) {
		uint32_t code;
		size_t len = decode(text, &code);
		int wide = len ? char_columns(code) : 1;

		columns += wide < 0 ? 1 : wide;
		text += len ? len : 1;
	}
	return columns;
}

void format_cut(char *text, size_t size, int columns, enum format_cut cut, bool utf8)
{
	const char *dots = utf8 ? "…" : "..";
	int total = format_columns(text), room = columns - format_columns(dots), head;
	size_t head_bytes, tail_at, tail_bytes, ndots = strlen(dots);

	if (total <= columns)
		return;
	if (room < 1) {
		text[bytes_of(text, columns)] = '\0';
		return;
	}
	/* of a path the end says more: two thirds of the room are its */
	head = cut == CUT_END ? room : room / 3;
	head_bytes = bytes_of(text, head);
	tail_at = bytes_of(text, total - (room - head));
	/* a wide character on the edge: leave it out rather than exceed the width */
	while (text[tail_at] && format_columns(text + tail_at) > room - head)
		tail_at += bytes_of(text + tail_at, 2) ? bytes_of(text + tail_at, 2) : 1;
	tail_bytes = strlen(text + tail_at);
	if (head_bytes + ndots + tail_bytes >= size)
		return;
	memmove(text + head_bytes + ndots, text + tail_at, tail_bytes + 1);
	memcpy(text + head_bytes, dots, ndots);
}

/* Behind the `>` of the arguments that begin here; NULL: they have none. */
static const char *arguments_end(const char *at)
{
	int depth = 0;

	for (; *at; at++) {
		if (*at == '-' && at[1] == '>')
			at++;
		else if (*at == '<')
			depth++;
		else if (*at == '>' && !--depth)
			return at + 1;
	}
	return NULL;
}

/* Whether a `<` behind this begins arguments: of a name, not of an operator. */
static bool is_template(const char *text, const char *end)
{
	static const char own[] = "operator";
	size_t len = sizeof(own) - 1;

	if (end == text || !(isalnum((unsigned char)end[-1]) || end[-1] == '_'))
		return false;
	return (size_t)(end - text) < len || strncmp(end - len, own, len) != 0;
}

void format_cut_function(char *text, size_t size, int columns, bool utf8)
{
	const char *dots = utf8 ? "<…>" : "<..>", *from = text;
	size_t ndots = strlen(dots);
	char *to = text;

	if (format_columns(text) <= columns)
		return;
	while (*from) {
		const char *end =
			*from == '<' && is_template(text, to) ? arguments_end(from) : NULL;

		if (end && (size_t)(end - from) > ndots) {
			memcpy(to, dots, ndots);
			to += ndots;
			from = end;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	format_cut(text, size, columns, CUT_MIDDLE, utf8);
}

char *format_counted(char buf[COUNTED_LEN], uint64_t n, const char *one, const char *many)
{
	char count[FORMAT_LEN];

	snprintf(buf, COUNTED_LEN, "%s %s", format_count(count, n), n == 1 ? one : many);
	return buf;
}
