/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences on the screen, wrapped in a column of their own. */
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "text_parts.h"

#define LABEL_COLUMN 9

/* Whether the word is the unit of the number before it: "12.3 ms" is not torn. */
static bool is_unit(const char *word)
{
	static const char *const units[] = {
		"%", "ns", "us", "µs", "ms", "s", "B", "KiB", "MiB", "GiB",
	};
	size_t len = strcspn(word, " ,.;:)");

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i]) == len && !strncmp(units[i], word, len))
			return true;
	return false;
}

/* Bytes of the next piece that stays on one line: a word, and its unit. */
static size_t piece(const char *text)
{
	size_t len = strcspn(text, " ");

	if (text[len] && is_unit(text + len + 1))
		len += 1 + strcspn(text + len + 1, " ");
	return len;
}

/* A word too long for a line of its own is cut, so that no line is wider than the screen. */
static void print_words(FILE *f, const struct text_style *style, int start, enum text_color color,
			const char *text)
{
	int column = start, width = text_width(style);

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t len = piece(text);
		char word[512];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		format_cut(word, sizeof(word), width - start, CUT_MIDDLE, style->utf8);
		if (column > start && column + 1 + format_columns(word) > width) {
			fprintf(f, "\n%*s", start, "");
			column = start;
		} else if (column > start) {
			fputc(' ', f);
			column++;
		}
		text_colored(f, style, color, word);
		column += format_columns(word);
		text += len;
	}
	fputc('\n', f);
}

void text_wrap(FILE *f, const struct text_style *style, int start, enum text_color color,
	       const char *text)
{
	size_t size = 4 * strlen(text) + 1;
	char *clean = malloc(size);

	if (!clean)
		return;
	print_words(f, style, start, color, format_clean(clean, size, text, style->utf8));
	free(clean);
}

void text_paragraph(FILE *f, const struct text_style *style, const char *label,
		    enum text_color label_color, enum text_color color, const char *text)
{
	text_colored(f, style, label_color, label);
	fprintf(f, "%*s", LABEL_COLUMN - (int)strlen(label), "");
	text_wrap(f, style, LABEL_COLUMN, color, text);
}
