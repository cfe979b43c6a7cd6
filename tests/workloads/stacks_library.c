/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_library HOW MS: a library that is opened while the program runs (the file
 * libstacks_plugin.so beside it), calls back from there, and is closed again.
 */
#include "stacks.h"
#include "stacks_beside.h"

NOINLINE static void library_back(void)
{
	stay("library_back plugin_b plugin_a library_call main");
	stacks_sink++;
}

NOINLINE static void library_call(beside_function plugin)
{
	plugin(library_back);
	stacks_sink++;
}

int main(int argc, char **argv)
{
	void *library;

	stay_setup(argc, argv, 1);
	library_call(beside_open("libstacks_plugin.so", RTLD_NOW, "plugin_a", &library));
	dlclose(library);
	return 0;
}
