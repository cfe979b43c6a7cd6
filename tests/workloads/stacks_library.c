/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_library HOW MS: a library that is opened while the program runs (the file
 * libstacks_plugin.so beside it), calls back from there, and is closed again.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "stacks.h"

NOINLINE static void library_back(void)
{
	stay("library_back plugin_b plugin_a library_call main");
	stacks_sink++;
}

NOINLINE static void library_call(void (*plugin)(void (*)(void)))
{
	plugin(library_back);
	stacks_sink++;
}

int main(int argc, char **argv)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 32];
	void (*plugin)(void (*)(void));
	void *library;

	stay_setup(argc, argv, 1);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	snprintf(path, sizeof(path), "%s/libstacks_plugin.so", dirname(self));
	library = dlopen(path, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "stacks_library: %s\n", dlerror());
		return 1;
	}
	*(void **)&plugin = dlsym(library, "plugin_a");
	if (!plugin)
		return 1;
	library_call(plugin);
	dlclose(library);
	return 0;
}
