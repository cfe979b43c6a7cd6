/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files are CPython and where its structures have what the kernel side reads: of 3.11 and
 * 3.12 as facts of those versions, from 3.13 on the runtime says it itself (_Py_DebugOffsets).
 * Everything else is refused with a reason: a wrong offset would make frames that never were.
 */
#include "python.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_symbols.h"
#include "python_private.h"

#define FINAL 0xf /* release level: not alpha, beta or candidate */

static const struct python_layout layout_3_11 = {
	.head = 40,
	.interp_next = 0,
	.interp_threads = 16,
	.thread_next = 8,
	.thread_native_id = 160,
	.thread_frame = 56,
	.cframe_frame = 1 + 8,
	.frame_code = 32,
	.frame_previous = 48,
	.frame_instr = 56,
	.frame_owner = 69,
	.frame_entry = 68,
	.code_strings = 112,
	.code_first_line = 72,
	.code_instrs = 184,
	.bytes_size = 16,
	.bytes_data = 32,
	.text_size = 16,
	.text_state = 32,
	.text_ascii = 48,
	.text_data = 72,
};

static const struct python_layout layout_3_12 = {
	.head = 40,
	.interp_next = 0,
	.interp_threads = 72,
	.thread_next = 8,
	.thread_native_id = 144,
	.thread_frame = 56,
	.cframe_frame = 1 + 0,
	.frame_code = 0,
	.frame_previous = 8,
	.frame_instr = 56,
	.frame_owner = 70,
	.code_strings = 112,
	.code_first_line = 68,
	.code_instrs = 192,
	.bytes_size = 16,
	.bytes_data = 32,
	.text_size = 16,
	.text_state = 32,
	.text_ascii = 40,
	.text_data = 56,
};

/* What 3.13's _PyRuntime starts with, as 64-bit words. */
enum debug_offset {
	DEBUG_COOKIE,
	DEBUG_VERSION,
	DEBUG_FREE_THREADED,
	DEBUG_HEAD = 5,
	DEBUG_INTERP_NEXT = 8,
	DEBUG_INTERP_THREADS = 9,
	DEBUG_THREAD_NEXT = 21,
	DEBUG_THREAD_FRAME = 23,
	DEBUG_THREAD_NATIVE_ID = 25,
	DEBUG_FRAME_PREVIOUS = 29,
	DEBUG_FRAME_CODE = 30,
	DEBUG_FRAME_INSTR = 31,
	DEBUG_FRAME_OWNER = 33,
	DEBUG_CODE_PATH = 35,
	DEBUG_CODE_NAME = 37,
	DEBUG_CODE_LINES = 38,
	DEBUG_CODE_FIRST_LINE = 39,
	DEBUG_CODE_INSTRS = 43,
	DEBUG_BYTES_SIZE = 65,
	DEBUG_BYTES_DATA = 66,
	DEBUG_TEXT_STATE = 68,
	DEBUG_TEXT_SIZE = 69,
	DEBUG_TEXT_ASCII = 70,
	DEBUG_WORDS = 73
};

struct candidate {
	struct elf_symbols *elf;
	uint64_t runtime, code_type, version_at;
	bool debug;
	uint32_t version; /* PY_VERSION_HEX */
};

static bool look(void *ctx, const struct elf_symbol *symbol)
{
	struct candidate *c = ctx;

	if (!strcmp(symbol->name, "_PyRuntime"))
		c->runtime = symbol->value;
	else if (!strcmp(symbol->name, "PyCode_Type"))
		c->code_type = symbol->value;
	else if (!strcmp(symbol->name, "Py_Version"))
		c->version_at = symbol->value;
	else if (!strcmp(symbol->name, "_Py_NegativeRefcount"))
		c->debug = true;
	return true;
}

/* A layout is used as it is in BPF: an offset that a walk cannot use makes it unknown. */
static bool offset_set(uint16_t *to, uint64_t word, uint64_t max)
{
	*to = (uint16_t)word;
	return word <= max;
}

#define FRAME_LAST (PYTHON_FRAME_SIZE - 1)
#define FRAME_POINTER_LAST 56 /* as python.bpf.h masks it */

static bool layout_debug(struct python_layout *l, const uint64_t *w)
{
	static const char cookie[] = "xdebugpy";
	bool ok = !memcmp(w, cookie, sizeof(*w));

	*l = (struct python_layout){ 0 };
	ok &= offset_set(&l->head, w[DEBUG_HEAD], UINT16_MAX);
	ok &= offset_set(&l->interp_next, w[DEBUG_INTERP_NEXT], UINT16_MAX);
	ok &= offset_set(&l->interp_threads, w[DEBUG_INTERP_THREADS], UINT16_MAX);
	ok &= offset_set(&l->thread_next, w[DEBUG_THREAD_NEXT], UINT16_MAX);
	ok &= offset_set(&l->thread_native_id, w[DEBUG_THREAD_NATIVE_ID], UINT16_MAX);
	ok &= offset_set(&l->thread_frame, w[DEBUG_THREAD_FRAME], UINT16_MAX);
	ok &= offset_set(&l->frame_code, w[DEBUG_FRAME_CODE], FRAME_POINTER_LAST);
	ok &= offset_set(&l->frame_previous, w[DEBUG_FRAME_PREVIOUS], FRAME_POINTER_LAST);
	ok &= offset_set(&l->frame_instr, w[DEBUG_FRAME_INSTR], FRAME_POINTER_LAST);
	ok &= offset_set(&l->frame_owner, w[DEBUG_FRAME_OWNER], FRAME_LAST);
	ok &= offset_set(&l->code_strings, w[DEBUG_CODE_PATH], UINT16_MAX);
	ok &= offset_set(&l->code_first_line, w[DEBUG_CODE_FIRST_LINE], UINT16_MAX);
	ok &= offset_set(&l->code_instrs, w[DEBUG_CODE_INSTRS], UINT16_MAX);
	/* python.bpf.h reads them as one: struct python_strings */
	ok &= w[DEBUG_CODE_NAME] == w[DEBUG_CODE_PATH] + 16;
	ok &= w[DEBUG_CODE_LINES] == w[DEBUG_CODE_PATH] + 24;
	/* bytes and str are as in 3.12: their places show that the words mean what we think */
	l->bytes_size = layout_3_12.bytes_size;
	l->bytes_data = layout_3_12.bytes_data;
	l->text_size = layout_3_12.text_size;
	l->text_state = layout_3_12.text_state;
	l->text_ascii = layout_3_12.text_ascii;
	l->text_data = layout_3_12.text_data;
	return ok && w[DEBUG_BYTES_SIZE] == l->bytes_size && w[DEBUG_BYTES_DATA] == l->bytes_data &&
	       w[DEBUG_TEXT_SIZE] == l->text_size && w[DEBUG_TEXT_STATE] == l->text_state &&
	       w[DEBUG_TEXT_ASCII] == l->text_ascii;
}

/* NULL, or why its frames cannot be shown. */
static const char *layout_find(const struct candidate *c, struct python_layout *l)
{
	uint64_t words[DEBUG_WORDS];

	if (!c->runtime || !c->code_type)
		return "its symbols have been removed";
	if (!c->version) /* 3.10 and before have no Py_Version */
		return "it does not tell its version; frames are known of 3.11 to 3.13";
	if (c->debug)
		return "it is a debug build";
	if ((c->version >> 4 & 0xf) != FINAL)
		return "it is no final release";
	switch (c->version >> 16) {
	case 0x30b:
		*l = layout_3_11;
		return NULL;
	case 0x30c:
		*l = layout_3_12;
		return NULL;
	case 0x30d:
		if (!elf_symbols_read(c->elf, c->runtime, words, sizeof(words)) ||
		    words[DEBUG_VERSION] != c->version)
			return "it does not tell its offsets";
		if (words[DEBUG_FREE_THREADED])
			return "it is a free-threaded build";
		return layout_debug(l, words) ? NULL : "its offsets are not as expected";
	default:
		return "frames are known of 3.11 to 3.13";
	}
}

static void refuse(struct python *p, const struct candidate *c, const char *path, const char *why)
{
	uint64_t n = p->counts.refused++;

	if (n >= PYTHON_REASONS)
		return;
	if (c->version)
		snprintf(p->reasons[n], sizeof(p->reasons[n]), "%s (%u.%u.%u): %s", path,
			 c->version >> 24, c->version >> 16 & 0xff, c->version >> 8 & 0xff, why);
	else
		snprintf(p->reasons[n], sizeof(p->reasons[n]), "%s: %s", path, why);
	p->counts.reasons[n] = p->reasons[n];
}

static void candidate_read(struct python *p, struct candidate *c, uint32_t file, const char *path)
{
	struct python_file value = { 0 };
	uint64_t code, version;
	uint32_t zero = 0, n;
	const char *why;

	elf_symbols_each(c->elf, look, c);
	if (c->version_at && elf_symbols_read(c->elf, c->version_at, &version, sizeof(version)))
		c->version = (uint32_t)version;
	why = layout_find(c, &value.layout);
	if (!why && !elf_symbols_code(c->elf, &code))
		why = "it has no code";
	if (!why) {
		value.runtime = c->runtime - code;
		value.code_type = c->code_type - code;
		if (bpf_map_update_elem(p->files, &file, &value, BPF_ANY))
			why = "there are too many of its kind";
	}
	if (why) {
		refuse(p, c, path, why);
		return;
	}
	n = ++p->nfiles;
	bpf_map_update_elem(p->known, &zero, &n, BPF_ANY);
}

void python_file(struct python *p, uint32_t file, int fd, const char *path)
{
	struct candidate c = { 0 };
	char own[64];
	uint64_t at;

	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	c.elf = elf_symbols_open(own, 0);
	/* a section that CPython has of its own: no other file's symbols need be gone through */
	if (c.elf && elf_symbols_section(c.elf, ".PyRuntime", &at))
		candidate_read(p, &c, file, path);
	elf_symbols_close(c.elf);
}

struct python *python_open(int files, int known)
{
	struct python *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->files = files;
	p->known = known;
	return p;
}

void python_close(struct python *p)
{
	if (!p)
		return;
	python_codes_free(p);
	free(p);
}

void python_count(const struct python *p, struct python_counts *counts)
{
	*counts = p->counts;
}
