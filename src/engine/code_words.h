/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack in the words that a reader of a program needs, root first: its functions, without what
 * starts a thread, without arguments and return types. Of code without names the file's name
 * stands for all calls within it, in brackets; of the C library the function that was called, not what that
 * calls in turn; of an interpreter, below the functions that it interprets, nothing. A function
 * that calls itself stands once.
 */
#ifndef DWELL_CODE_WORDS_H
#define DWELL_CODE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "stacks_report.h"

struct code_word {
	const char *text; /* in the frame's name or module */
	size_t len;
	bool file; /* code without a name, in this file */
};

/* Where the words of a row have come to. */
struct code_words {
	const struct stack_row *row;
	size_t leaf, at; /* frames[leaf .. at - 1] are left */
	bool code;       /* else the kernel's own, or a mark: all frames are words */
	bool in_libc, interpreted;
	struct code_word last;
};

struct code_words code_words_begin(const struct stack_row *row);
/* The next word; false: that was all. At least one comes of a row with frames. */
bool code_words_next(struct code_words *w, struct code_word *word);

#endif
