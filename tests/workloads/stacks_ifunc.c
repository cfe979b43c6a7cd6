/* SPDX-License-Identifier: BSD-2-Clause */
/* The library of stacks_lazy: which code a function of it is, it decides at the first call. */
#include "stacks.h"

void lazy_a(void (*back)(void));
void lazy_chosen(void);

static void (*lazy_back)(void);
static volatile long lazy_sink;

static void lazy_code(void)
{
	lazy_sink++;
}

/* clang does not see that the name below uses it. */
__attribute__((used)) NOINLINE static void (*lazy_choose(void))(void)
{
	lazy_back();
	lazy_sink++;
	return lazy_code;
}

void lazy_chosen(void) __attribute__((ifunc("lazy_choose")));

NOINLINE void lazy_a(void (*back)(void))
{
	lazy_back = back;
	lazy_chosen();
	lazy_sink++;
}
