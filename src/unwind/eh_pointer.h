/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded addresses (DW_EH_PE_*) of .eh_frame and .eh_frame_hdr. */
#ifndef DWELL_EH_POINTER_H
#define DWELL_EH_POINTER_H

#include "eh_reader.h"

enum {
	/* low four bits: the value's form */
	PE_ABSPTR = 0x00,
	PE_ULEB128 = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SLEB128 = 0x09,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	/* the next three: what is added */
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
	PE_INDIRECT = 0x80,
	PE_OMIT = 0xff,
};

/* A reader that knows which address its bytes have. */
struct eh_place {
	struct eh_reader reader;
	const uint8_t *bytes; /* those at `address` */
	uint64_t address;
	uint64_t data; /* what PE_DATAREL is relative to; 0: nothing */
};

/* The value, without what is added. */
static inline uint64_t eh_pointer_value(struct eh_reader *r, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		return eh_fixed(r, 8);
	case PE_ULEB128:
		return eh_uleb(r);
	case PE_UDATA2:
		return eh_fixed(r, 2);
	case PE_UDATA4:
		return eh_fixed(r, 4);
	case PE_SLEB128:
		return (uint64_t)eh_sleb(r);
	case PE_SDATA2:
		return (uint64_t)(int16_t)eh_fixed(r, 2);
	case PE_SDATA4:
		return (uint64_t)(int32_t)eh_fixed(r, 4);
	default:
		r->bad = true;
		return 0;
	}
}

/* False: no pointer, or one that only the running process could tell. */
static inline bool eh_pointer(struct eh_place *p, uint8_t encoding, uint64_t *address)
{
	uint64_t here = p->address + (uint64_t)(p->reader.at - p->bytes);

	if (encoding == PE_OMIT || (encoding & PE_INDIRECT))
		return false;
	*address = eh_pointer_value(&p->reader, encoding);
	switch (encoding & 0x70) {
	case 0:
		break;
	case PE_PCREL:
		*address += here;
		break;
	case PE_DATAREL:
		if (!p->data)
			return false;
		*address += p->data;
		break;
	default:
		return false;
	}
	return !p->reader.bad;
}

#endif
