/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_lazy HOW MS: stays in the middle of the dynamic linker's lazy binding, which finds its
 * own frame by rbx: in the function that chooses an implementation (libstacks_ifunc.so, beside it).
 */
#include "stacks.h"
#include "stacks_beside.h"

NOINLINE static void lazy_stay(void)
{
	stay("lazy_stay lazy_choose lazy_a lazy_call main");
	stacks_sink++;
}

NOINLINE static void lazy_call(beside_function plugin)
{
	plugin(lazy_stay);
	stacks_sink++;
}

int main(int argc, char **argv)
{
	void *library;

	stay_setup(argc, argv, 1);
	lazy_call(beside_open("libstacks_ifunc.so", RTLD_LAZY, "lazy_a", &library));
	return 0;
}
