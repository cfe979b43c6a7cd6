/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_chain HOW MS: the plain chain main, chain_a, chain_b, chain_c. Built in many ways
 * (see meson.build): with and without frame pointers, static, at a fixed address, stripped, ...
 */
#include "stacks.h"

NOINLINE static void chain_c(void)
{
	stay("chain_c chain_b chain_a main");
	stacks_sink++;
}

NOINLINE static void chain_b(int depth)
{
	volatile char room[256];

	room[depth & 255] = 1;
	chain_c();
	stacks_sink += room[depth & 255];
}

NOINLINE static void chain_a(int depth)
{
	chain_b(depth + 1);
	stacks_sink++;
}

int main(int argc, char **argv)
{
	stay_setup(argc, argv, 1);
	chain_a(argc);
	return 0;
}
