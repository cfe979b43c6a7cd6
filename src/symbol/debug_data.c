/* SPDX-License-Identifier: BSD-2-Clause */
/* .gnu_debugdata: a small ELF file with nothing but symbols, compressed by xz. */
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "debug_file.h"

#define UNPACKED_MAX (64U << 20)
#define WORK_MAX (128U << 20) /* memory that unpacking may take */

static bool grow(uint8_t **out, size_t *room)
{
	size_t more = *room ? 2 * *room : 1U << 20;
	uint8_t *bytes = more <= UNPACKED_MAX ? realloc(*out, more) : NULL;

	if (!bytes)
		return false;
	*out = bytes;
	*room = more;
	return true;
}

/* NULL: damaged, or larger than we allow. */
static uint8_t *unpack(const Elf_Data *packed, size_t *size)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret state = LZMA_OK;
	uint8_t *out = NULL;
	size_t room = 0;

	if (lzma_stream_decoder(&stream, WORK_MAX, 0) != LZMA_OK)
		return NULL;
	stream.next_in = packed->d_buf;
	stream.avail_in = packed->d_size;
	while (state == LZMA_OK) {
		size_t used = room;

		if (!stream.avail_out) {
			if (!grow(&out, &room))
				break;
			stream.next_out = out + used;
			stream.avail_out = room - used;
		}
		state = lzma_code(&stream, LZMA_FINISH);
	}
	*size = room - stream.avail_out;
	lzma_end(&stream);
	if (state == LZMA_STREAM_END)
		return out;
	free(out);
	return NULL;
}

Elf *debug_data_begin(Elf *elf, void **memory)
{
	Elf_Data *packed = code_image_section(elf, ".gnu_debugdata");
	Elf *inner;
	size_t size;

	*memory = packed && packed->d_buf ? unpack(packed, &size) : NULL;
	if (!*memory)
		return NULL;
	inner = code_image_begin_memory(*memory, size);
	if (inner)
		return inner;
	free(*memory);
	*memory = NULL;
	return NULL;
}
