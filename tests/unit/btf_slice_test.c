/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slice of a kernel's BTF: libbpf, which relocates against it, reads in it the same as in
 * the whole, of what the object names; the rest is not there. Also the index of names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "btf_slice.h"
#include "raw_btf.h"

static struct raw_btf over(const struct btf *btf)
{
	struct raw_btf raw;
	uint32_t size;
	const void *data = btf__raw_data(btf, &size);

	assert_int_equal(raw_btf_over(&raw, data, size), 0);
	return raw;
}

/*
 * struct alone; struct inner { int a; }; struct far { int b; };
 * typedef struct { long low, high; } pair; enum color { RED = 7 };
 * struct outer { struct inner in[2]; const pair pair; struct far *far; int bits : 3;
 *                enum color color; int (*call)(int); };
 * and a second struct outer, of another file of the kernel's.
 */
static struct btf *make_kernel(void)
{
	struct btf *k = btf__new_empty();
	int number = btf__add_int(k, "int", 4, BTF_INT_SIGNED), alone, inner, far, pair, array, to,
	    color, proto;

	alone = btf__add_struct(k, "alone", 4);
	btf__add_field(k, "x", number, 0, 0);
	inner = btf__add_struct(k, "inner", 4);
	btf__add_field(k, "a", number, 0, 0);
	far = btf__add_struct(k, "far", 4);
	btf__add_field(k, "b", number, 0, 0);
	pair = btf__add_struct(k, NULL, 16);
	btf__add_field(k, "low", number, 0, 0);
	btf__add_field(k, "high", number, 64, 0);
	pair = btf__add_const(k, btf__add_typedef(k, "pair", pair));
	array = btf__add_array(k, number, inner, 2);
	to = btf__add_ptr(k, far);
	color = btf__add_enum(k, "color", 4);
	btf__add_enum_value(k, "RED", 7);
	proto = btf__add_func_proto(k, number);
	btf__add_func_param(k, "n", number);
	proto = btf__add_ptr(k, proto);
	btf__add_struct(k, "outer", 64);
	btf__add_field(k, "in", array, 0, 0);
	btf__add_field(k, "pair", pair, 64, 0);
	btf__add_field(k, "far", to, 192, 0);
	btf__add_field(k, "bits", number, 256, 3);
	btf__add_field(k, "color", color, 288, 0);
	btf__add_field(k, "call", proto, 320, 0);
	btf__add_struct(k, "outer", 8);
	btf__add_field(k, "other", number, 0, 0);
	btf__add_typedef(k, "btf_trace_alone", btf__add_ptr(k, alone));
	return k;
}

static struct btf *make_object(void)
{
	struct btf *o = btf__new_empty();

	btf__add_int(o, "int", 4, BTF_INT_SIGNED);
	btf__add_struct(o, "outer___here", 0);
	btf__add_enum(o, "color___here", 4);
	btf__add_struct(o, "not_the_kernels", 0);
	return o;
}

struct both {
	struct btf *kernel, *object, *slice;
	struct raw_btf raw_kernel;
};

static int setup(void **state)
{
	struct both *b = calloc(1, sizeof(*b));
	struct raw_btf object;
	size_t size;
	void *data;

	b->kernel = make_kernel();
	b->object = make_object();
	b->raw_kernel = over(b->kernel);
	object = over(b->object);
	data = btf_slice(&object, &b->raw_kernel, &size);
	assert_non_null(data);
	b->slice = btf__new(data, (uint32_t)size);
	assert_int_equal(libbpf_get_error(b->slice), 0);
	free(data);
	raw_btf_close(&object);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct both *b = *state;

	raw_btf_close(&b->raw_kernel);
	btf__free(b->kernel);
	btf__free(b->object);
	btf__free(b->slice);
	free(b);
	return 0;
}

static const struct btf_type *only(const struct btf *btf, const char *name, uint32_t kind)
{
	return btf__type_by_id(btf, (uint32_t)btf__find_by_name_kind(btf, name, kind));
}

static void members_are_those_of_the_kernel(void **state)
{
	const struct both *b = *state;
	const struct btf_type *was = only(b->kernel, "outer", BTF_KIND_STRUCT),
			      *is = only(b->slice, "outer", BTF_KIND_STRUCT);

	assert_non_null(is);
	assert_int_equal(is->size, was->size);
	assert_int_equal(btf_vlen(is), btf_vlen(was));
	for (uint32_t i = 0; i < btf_vlen(was); i++) {
		const struct btf_member *from = btf_members(was) + i, *to = btf_members(is) + i;

		assert_string_equal(btf__name_by_offset(b->slice, to->name_off),
				    btf__name_by_offset(b->kernel, from->name_off));
		assert_int_equal(to->offset, from->offset);
		assert_int_equal(btf__resolve_size(b->slice, to->type),
				 btf__resolve_size(b->kernel, from->type));
		assert_int_equal(btf_kind(btf__type_by_id(b->slice, to->type)),
				 btf_kind(btf__type_by_id(b->kernel, from->type)));
	}
}

static void what_lies_inside_comes_with_it(void **state)
{
	const struct both *b = *state;
	const struct btf_type *pair = only(b->slice, "pair", BTF_KIND_TYPEDEF),
			      *color = only(b->slice, "color", BTF_KIND_ENUM);

	assert_int_equal(btf_vlen(only(b->slice, "inner", BTF_KIND_STRUCT)), 1);
	assert_int_equal(btf_vlen(btf__type_by_id(b->slice, pair->type)), 2);
	assert_int_equal(btf_enum(color)->val, 7);
	assert_string_equal(btf__name_by_offset(b->slice, btf_enum(color)->name_off), "RED");
}

static void what_is_behind_a_pointer_does_not(void **state)
{
	const struct both *b = *state;
	const struct btf_type *outer = only(b->slice, "outer", BTF_KIND_STRUCT),
			      *to = btf__type_by_id(b->slice, btf_members(outer)[2].type);

	assert_int_equal(to->type, 0);
	assert_true(btf__find_by_name(b->slice, "far") < 0);
	assert_true(btf__find_by_name(b->slice, "alone") < 0);
}

static void both_types_of_one_name_are_there(void **state)
{
	const struct both *b = *state;
	int found = 0;

	for (uint32_t id = 1; id < btf__type_cnt(b->slice); id++) {
		const struct btf_type *t = btf__type_by_id(b->slice, id);

		found += !strcmp(btf__name_by_offset(b->slice, t->name_off), "outer");
	}
	assert_int_equal(found, 2);
}

static void the_index_finds_by_name_and_kind(void **state)
{
	const struct both *b = *state;

	for (uint32_t id = 1; id < btf__type_cnt(b->kernel); id++) {
		const struct btf_type *t = btf__type_by_id(b->kernel, id);
		const char *name = btf__name_by_offset(b->kernel, t->name_off);

		if (*name)
			assert_int_equal(raw_btf_find(&b->raw_kernel, name, btf_kind(t)),
					 btf__find_by_name_kind(b->kernel, name, btf_kind(t)));
	}
	assert_int_equal(raw_btf_find(&b->raw_kernel, "alone", BTF_KIND_FUNC), 0);
	assert_int_equal(raw_btf_find(&b->raw_kernel, "alon", BTF_KIND_STRUCT), 0);
}

static void what_is_no_btf_is_refused(void **state)
{
	const struct both *b = *state;
	struct raw_btf raw;
	uint32_t size;
	const char *data = btf__raw_data(b->kernel, &size);
	char *copy = malloc(size);
	struct btf_header h;

	memcpy(copy, data, size);
	memcpy(&h, data, sizeof(h));
	assert_true(raw_btf_over(&raw, copy, 10) < 0);
	assert_true(raw_btf_over(&raw, copy, size - 1) < 0);
	copy[h.hdr_len + 7] = 31; /* a kind that there is not */
	assert_true(raw_btf_over(&raw, copy, size) < 0);
	copy[0] = 0;
	assert_true(raw_btf_over(&raw, copy, size) < 0);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_those_of_the_kernel),
		cmocka_unit_test(what_lies_inside_comes_with_it),
		cmocka_unit_test(what_is_behind_a_pointer_does_not),
		cmocka_unit_test(both_types_of_one_name_are_there),
		cmocka_unit_test(the_index_finds_by_name_and_kind),
		cmocka_unit_test(what_is_no_btf_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
