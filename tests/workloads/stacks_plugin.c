/* SPDX-License-Identifier: BSD-2-Clause */
/* The library of stacks_library. */
#include "stacks.h"

void plugin_a(void (*back)(void));

static volatile long plugin_sink;

NOINLINE static void plugin_b(void (*back)(void))
{
	back();
	plugin_sink++;
}

NOINLINE void plugin_a(void (*back)(void))
{
	plugin_b(back);
	plugin_sink++;
}
