/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of files and commands are bytes; JSON is UTF-8. */
#ifndef DWELL_UTF8_H
#define DWELL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the well-formed character at s (1 to 4), 0 when there is none. */
static inline size_t utf8_length(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80, high = 0xBF;
	size_t n;

	if (!len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (len < n)
		return 0;
	if (p[0] == 0xE0) /* overlong */
		low = 0xA0;
	else if (p[0] == 0xED) /* surrogates */
		high = 0x9F;
	else if (p[0] == 0xF0) /* overlong */
		low = 0x90;
	else if (p[0] == 0xF4) /* beyond U+10FFFF */
		high = 0x8F;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return n;
}

static inline bool utf8_valid(const char *s, size_t len)
{
	while (len) {
		size_t n = utf8_length(s, len);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

#endif
