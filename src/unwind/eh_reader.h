/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cursor over bytes that nobody vouches for. Reading beyond the end gives 0 and sets `bad`,
 * so that a parser checks once, after several reads.
 */
#ifndef DWELL_EH_READER_H
#define DWELL_EH_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct eh_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline size_t eh_left(const struct eh_reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline uint64_t eh_fixed(struct eh_reader *r, size_t size)
{
	uint64_t value = 0;

	if (eh_left(r) < size) {
		r->bad = true;
		r->at = r->end;
		return 0;
	}
	memcpy(&value, r->at, size); /* the machine's own order: little endian was checked */
	r->at += size;
	return value;
}

static inline uint8_t eh_u8(struct eh_reader *r)
{
	if (r->at == r->end) {
		r->bad = true;
		return 0;
	}
	return *r->at++;
}

/* LEB128. Bits beyond 64 are dropped. */
static inline uint64_t eh_leb(struct eh_reader *r, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		byte = eh_u8(r);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !r->bad && shift < 256);
	if (byte & 0x80)
		r->bad = true;
	if (is_signed && (byte & 0x40) && shift < 64)
		value |= ~0ULL << shift;
	return value;
}

static inline uint64_t eh_uleb(struct eh_reader *r)
{
	return eh_leb(r, false);
}

static inline int64_t eh_sleb(struct eh_reader *r)
{
	return (int64_t)eh_leb(r, true);
}

static inline void eh_skip(struct eh_reader *r, uint64_t size)
{
	if (size > eh_left(r)) {
		r->bad = true;
		size = eh_left(r);
	}
	r->at += size;
}

#endif
