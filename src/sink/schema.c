/* SPDX-License-Identifier: BSD-2-Clause */
/* The page is made from the schema itself, so it says what the schema says. */
#include "schema.h"

#include <string.h>

#include "env_shape.h"
#include "probe.h"
#include "states.h"
#include "stats_sum.h"
#include "summary_shape.h"
#include "tree_shape.h"

#define PATH_LEN 256

static const struct {
	const char *kind, *about;
	json_t *(*schema)(void);
} records[] = {
	{ "env", "The machine. First, and only with `--write-env`.", env_schema },
	{ "metadata", "The command. Once, before the samples.", metadata_schema },
	{ "tree",
	  "At each tick: the target's processes, what they use together, and what each probe "
	  "has so far. Totals are cumulative and never fall.",
	  tree_schema },
	{ "sample", "With `--exclude-children`, in place of `tree`: the process alone.",
	  sample_schema },
	{ "summary", "Last: the whole run, and how far to trust it.", summary_schema },
};

#define RECORDS (sizeof(records) / sizeof(*records))

json_t *schema_json(void)
{
	json_t *any = json_array();

	for (size_t i = 0; i < RECORDS; i++) {
		json_t *schema = records[i].schema();

		json_object_set_new(schema, "title", json_string(records[i].kind));
		json_object_set_new(schema, "description", json_string(records[i].about));
		json_array_append_new(any, schema);
	}
	return json_pack("{s:s, s:s, s:o}", "title", "dwell record", "description",
			 "a line of the JSONL that dwell writes", "oneOf", any);
}

/* --- Markdown --- */

static const char *type_name(const json_t *schema, char *text, size_t size)
{
	const json_t *type = json_object_get(schema, "type"),
		     *value = json_object_get(schema, "const");

	if (json_is_string(value))
		snprintf(text, size, "\"%s\"", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_array(type))
		snprintf(text, size, "%s or null", json_string_value(json_array_get(type, 0)));
	else
		snprintf(text, size, "%s", json_string_value(type));
	return text;
}

static bool is_required(const json_t *schema, const char *key)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i,
			   name) if (!strcmp(json_string_value(name), key)) return true;
	return false;
}

static void print_members(FILE *f, const json_t *schema, const char *path, int depth);

/* What lies below a member: an object's members, an array's items, a dictionary's values. */
static void print_below(FILE *f, const json_t *schema, const char *path, int depth)
{
	const json_t *items = json_object_get(schema, "items");
	const json_t *values = json_object_get(schema, "additionalProperties");
	char below[PATH_LEN];

	if (json_is_object(items)) {
		snprintf(below, sizeof(below), "%.240s[]", path);
		print_members(f, items, below, depth);
	} else if (json_is_object(values)) {
		snprintf(below, sizeof(below), "%.240s.*", path);
		print_members(f, values, below, depth);
	} else {
		print_members(f, schema, path, depth);
	}
}

static void print_members(FILE *f, const json_t *schema, const char *path, int depth)
{
	json_t *members = json_object_get(schema, "properties");
	const json_t *member;
	const char *key;

	json_object_foreach(members, key, member)
	{
		const char *help = json_string_value(json_object_get(member, "description"));
		char name[PATH_LEN], type[128];

		snprintf(name, sizeof(name), "%s%s%s", path, *path ? "." : "", key);
		fprintf(f, "| `%s` | %s%s | %s |\n", name, type_name(member, type, sizeof(type)),
			is_required(schema, key) ? "" : ", optional", help ? help : "");
		if (depth < 8)
			print_below(f, member, name, depth + 1);
	}
}

static void print_record(FILE *f, const char *title, const char *about, json_t *schema)
{
	fprintf(f, "\n## %s\n\n%s\n\n| field | type | meaning |\n| --- | --- | --- |\n", title,
		about);
	print_members(f, schema, "", 0);
	json_decref(schema);
}

void schema_markdown(FILE *f)
{
	fprintf(f,
		"# The records\n\n"
		"Made by `dwell schema --markdown`; a test holds it to what the program says.\n\n"
		"`--json` and `--out FILE` write JSONL: one JSON object a line. `kind` says which "
		"record it is. `dwell schema` prints the JSON Schema. In a field's name `[]` is "
		"any item of an array, `.*` any member of an object.\n");
	for (size_t i = 0; i < RECORDS; i++)
		print_record(f, records[i].kind, records[i].about, records[i].schema());
	fprintf(f, "\n## States of the ledger\n\n| state | meaning |\n| --- | --- |\n");
	for (size_t i = 0; i < LEDGER_STATES; i++)
		fprintf(f, "| `%s` | %s |\n", ledger_state_names[i], ledger_state_help[i]);
	print_record(f, "Statistics", "What `dwell stats --json` and `--stats FILE` write.",
		     stats_schema());
}

/* ---- the probes ---- */

static void print_sources(FILE *f, const struct probe_class *c)
{
	fputs("Sources, best first:", f);
	for (const struct source *s = c->sources; s->name; s++) {
		fprintf(f, "%s `%s`%s (", s == c->sources ? "" : ";", s->name,
			s->hash ? " by task address" : "");
		for (int i = 0; i < SOURCE_PROGS && s->progs[i]; i++)
			fprintf(f, "%s`%s`", i ? ", " : "", s->progs[i]);
		if (s->optional[0])
			fputs("; where there are, ", f);
		for (int i = 0; i < SOURCE_PROGS && s->optional[i]; i++)
			fprintf(f, "%s`%s`", i ? ", " : "", s->optional[i]);
		fputc(')', f);
	}
	fputs(".\n", f);
}

void schema_metrics(FILE *f)
{
	fputs("# The probes\n\nMade by `dwell schema --metrics` from the probes' own tables; a "
	      "test holds it to what the program says. The figures stand in the `summary` record "
	      "under the probe's name; at every tick, without processes, in "
	      "`tree.probes.NAME`.\n",
	      f);
	for (const struct probe_class *const *c = probe_classes; *c; c++) {
		fprintf(f, "\n## %s\n\n%c%s.%s\n\n", (*c)->name, (*c)->summary[0] - 32,
			(*c)->summary + 1, (*c)->opt_in ? " Only when `--probes` names it." : "");
		print_sources(f, *c);
		fputs("\n| figure | type | meaning |\n| --- | --- | --- |\n", f);
		if ((*c)->shape) {
			json_t *schema = shape_schema((*c)->shape);

			print_members(f, schema, "", 0);
			json_decref(schema);
		}
	}
}
