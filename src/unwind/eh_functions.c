/* SPDX-License-Identifier: BSD-2-Clause */
/* One FDE, one function (or its cold part). */
#include "eh_functions.h"

#include <errno.h>
#include <stdlib.h>

#include "eh_frame.h"

static int take(struct eh_function **list, size_t *n, const struct elf_image *image)
{
	struct eh_table t = { 0 };
	struct eh_frame f;
	int err = elf_image_identify(image, &t);

	if (err)
		return err;
	err = eh_frame_read(&f, image, &t);
	if (!err)
		*list = calloc(f.nfdes + 1, sizeof(**list));
	if (!err && !*list)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < f.nfdes; i++)
		(*list)[(*n)++] = (struct eh_function){ f.fdes[i].start, f.fdes[i].size };
	eh_frame_free(&f);
	return err;
}

int eh_functions_read(int fd, struct eh_function **list, size_t *n)
{
	struct elf_image image;
	int err = elf_image_open(&image, fd);

	*list = NULL;
	*n = 0;
	if (!err)
		err = take(list, n, &image);
	elf_image_close(&image);
	return err;
}
