/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of .eh_frame; see eh_frame.h. */
#include "eh_frame.h"

#include <errno.h>
#include <stdlib.h>

#include "eh_pointer.h"

#define CODE_FACTOR_MAX 255
/* _start and _dl_start_user of ld.so, which have no FDE, take 61 bytes. */
#define ENTRY_BYTES 64

/* Room for one more element of `size` bytes: NULL on failure, then the old one still lives. */
static void *more(void *array, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *grown;

	if (n < *room)
		return array;
	grown = reallocarray(array, wanted, size);
	if (grown)
		*room = wanted;
	return grown;
}

/* One CIE or FDE. */
struct entry {
	uint64_t offset; /* of its length */
	uint64_t id;     /* 0: a CIE; else the distance back to its CIE, from where it stands */
	uint64_t id_offset;
	struct eh_reader body; /* what follows the id */
};

/* 1; 0: there is no more; 2: a terminator. */
static int next_entry(const struct eh_frame *f, uint64_t *offset, struct entry *e)
{
	struct eh_reader in = { .at = f->bytes + *offset, .end = f->bytes + f->section.size };
	uint64_t length = eh_fixed(&in, 4);

	e->offset = *offset;
	if (length == UINT32_MAX)
		length = eh_fixed(&in, 8);
	if (in.bad || length > eh_left(&in))
		return 0;
	*offset = (uint64_t)(in.at - f->bytes) + length;
	if (!length)
		return 2;
	in.end = in.at + length;
	e->id_offset = (uint64_t)(in.at - f->bytes);
	e->id = eh_fixed(&in, 4);
	if (in.bad)
		return 0;
	e->body = in;
	return 1;
}

/* What the letters of the augmentation string announce. False: unknown letters. */
static bool augmentation(struct eh_cie *cie, const char *letters, struct eh_reader *in)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			cie->encoding = eh_u8(in);
			break;
		case 'P': {
			uint8_t encoding = eh_u8(in);

			if (encoding != PE_OMIT)
				eh_pointer_value(in, encoding);
			break;
		}
		case 'L':
			eh_u8(in);
			break;
		case 'S': /* a signal frame: its rules say so themselves */
		case 'B':
			break;
		default:
			return false;
		}
	}
	return !in->bad;
}

/* From the augmentation string to the initial instructions. False: not for us. */
static bool cie_header(struct eh_cie *cie, struct eh_reader *in)
{
	uint8_t version = eh_u8(in);
	const char *letters = (const char *)in->at;
	struct eh_reader data;
	uint64_t code_factor, size;

	while (eh_u8(in))
		; /* the string's end; 0 too at the end of the bytes */
	if (in->bad || (version != 1 && version != 3 && version != 4))
		return false;
	if (version == 4 && (eh_u8(in) != 8 || eh_u8(in) != 0)) /* size of addresses, segments */
		return false;
	code_factor = eh_uleb(in);
	cie->common.code_factor = (uint32_t)code_factor;
	cie->common.data_factor = eh_sleb(in);
	if ((version == 1 ? eh_u8(in) : eh_uleb(in)) != REGISTER_RA || !code_factor ||
	    code_factor > CODE_FACTOR_MAX)
		return false;
	if (!*letters)
		return true;
	if (*letters != 'z')
		return false;
	cie->augmented = true;
	size = eh_uleb(in);
	data = *in;
	eh_skip(in, size);
	data.end = in->at;
	return !in->bad && augmentation(cie, letters + 1, &data);
}

static int add_cie(struct eh_frame *f, const struct entry *e)
{
	struct eh_cie *cie = more(f->cies, f->ncies, &f->cie_room, sizeof(*cie));
	struct eh_reader in = e->body;
	struct cfa_machine m;
	uint64_t until;

	if (!cie)
		return -ENOMEM;
	f->cies = cie;
	cie += f->ncies++;
	*cie = (struct eh_cie){ .offset = e->offset };
	if (!cie_header(cie, &in))
		return 0;
	/* a row as long as can be: the state after all instructions, none of which advances */
	cfa_begin(&m, &cie->common, &cie->initial, in, 0, UINT64_MAX);
	cie->usable = cfa_next(&m, &until) == 1 && until == UINT64_MAX;
	cie->initial = m.now;
	return 0;
}

/* Number of the CIE at that offset. FDEs follow their CIE, and mostly the last one is theirs. */
static bool find_cie(const struct eh_frame *f, uint64_t offset, uint32_t *number)
{
	size_t low = 0, high = f->ncies;

	while (low < high) {
		size_t middle = f->cies[high - 1].offset == offset ? high - 1 : (low + high) / 2;

		if (f->cies[middle].offset == offset) {
			*number = (uint32_t)middle;
			return true;
		}
		if (f->cies[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The end of the segment's code that holds the address; 0: none does. */
static uint64_t segment_end(const struct eh_table *t, uint64_t address)
{
	for (size_t i = 0; i < t->nsegments; i++)
		if (address >= t->segments[i].vaddr &&
		    address - t->segments[i].vaddr < t->segments[i].size)
			return t->segments[i].vaddr + t->segments[i].size;
	return 0;
}

static int push_fde(struct eh_frame *f, const struct eh_fde *fde)
{
	struct eh_fde *fdes = more(f->fdes, f->nfdes, &f->fde_room, sizeof(*fdes));

	if (!fdes)
		return -ENOMEM;
	f->fdes = fdes;
	fdes[f->nfdes++] = *fde;
	return 0;
}

/* FDEs of no CIE, or of code that the linker has dropped, are left out. */
static int add_fde(struct eh_frame *f, const struct entry *e, const struct eh_table *t)
{
	struct eh_place place = { .reader = e->body,
				  .bytes = f->bytes,
				  .address = f->section.address };
	uint64_t start, size, end;
	struct eh_fde fde;
	const struct eh_cie *cie;

	if (e->id > e->id_offset || !find_cie(f, e->id_offset - e->id, &fde.cie))
		return 0;
	cie = &f->cies[fde.cie];
	if (!eh_pointer(&place, cie->encoding, &start))
		return 0;
	size = eh_pointer_value(&place.reader, cie->encoding);
	if (cie->augmented)
		eh_skip(&place.reader, eh_uleb(&place.reader));
	end = segment_end(t, start);
	if (place.reader.bad || !start || !size || !end)
		return 0;
	fde.start = start;
	fde.size = (uint32_t)(size < end - start ? size : end - start);
	fde.program = (uint32_t)(place.reader.at - f->bytes);
	fde.program_size = (uint32_t)eh_left(&place.reader);
	return push_fde(f, &fde);
}

static int compare(const void *left, const void *right)
{
	const struct eh_fde *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->program < b->program ? -1 : a->program > b->program;
}

static void sort(struct eh_frame *f)
{
	for (size_t i = 1; i < f->nfdes; i++)
		if (compare(&f->fdes[i - 1], &f->fdes[i]) > 0) {
			qsort(f->fdes, f->nfdes, sizeof(*f->fdes), compare);
			return;
		}
}

/*
 * Nobody calls the code at e_entry. crt1.o says so in its FDE; ld.so has no FDE there, and in a
 * program without a C library it looks like that of any function.
 */
static int mark_entry(struct eh_frame *f, const struct elf_image *image, const struct eh_table *t)
{
	uint64_t entry = image->header.e_entry, end = segment_end(t, entry);
	struct eh_fde fde = { .start = entry, .cie = EH_NO_CIE };

	if (!entry || !end)
		return 0;
	for (size_t i = 0; i < f->nfdes; i++) {
		if (f->fdes[i].start == entry)
			f->fdes[i].cie = EH_NO_CIE;
		if (entry >= f->fdes[i].start && entry - f->fdes[i].start < f->fdes[i].size)
			return 0;
	}
	fde.size = (uint32_t)(end - entry < ENTRY_BYTES ? end - entry : ENTRY_BYTES);
	return push_fde(f, &fde);
}

static int parse(struct eh_frame *f, const struct eh_table *t)
{
	bool exact = f->section.entries == UINT64_MAX;
	uint64_t offset = 0, fdes = 0;
	struct entry e;
	int kind, err;

	while ((kind = next_entry(f, &offset, &e)) != 0) {
		if (kind == 2 && !exact)
			break;
		if (kind == 2) /* ld -r and some crt files leave terminators in between */
			continue;
		if (e.id && fdes++ >= f->section.entries)
			break;
		err = e.id ? add_fde(f, &e, t) : add_cie(f, &e);
		if (err)
			return err;
	}
	return 0;
}

int eh_frame_read(struct eh_frame *f, const struct elf_image *image, const struct eh_table *t)
{
	int err;

	*f = (struct eh_frame){ 0 };
	err = elf_image_eh_frame(image, &f->section);
	if (err)
		return err;
	if (f->section.size > EH_FRAME_MAX) {
		if (f->section.entries == UINT64_MAX)
			return -EFBIG;
		f->section.size = EH_FRAME_MAX; /* only the segment is so big */
	}
	f->bytes = elf_image_load(image, f->section.offset, f->section.size, &err);
	if (!f->bytes)
		return err == -EINVAL ? -ENOEXEC : err;
	err = parse(f, t);
	if (!err)
		err = mark_entry(f, image, t);
	if (!err)
		sort(f);
	return err;
}

void eh_frame_free(struct eh_frame *f)
{
	free(f->bytes);
	free(f->cies);
	free(f->fdes);
	*f = (struct eh_frame){ 0 };
}
