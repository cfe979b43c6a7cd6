/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_lazy HOW MS: stays in the middle of the dynamic linker's lazy binding, which finds its
 * own frame by rbx: in the function that chooses an implementation (libstacks_ifunc.so, beside it).
 */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "stacks.h"

NOINLINE static void lazy_stay(void)
{
	stay("lazy_stay lazy_choose lazy_a lazy_call main");
	stacks_sink++;
}

NOINLINE static void lazy_call(void (*plugin)(void (*)(void)))
{
	plugin(lazy_stay);
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
	snprintf(path, sizeof(path), "%s/libstacks_ifunc.so", dirname(self));
	library = dlopen(path, RTLD_LAZY);
	if (!library) {
		fprintf(stderr, "stacks_lazy: %s\n", dlerror());
		return 1;
	}
	*(void **)&plugin = dlsym(library, "lazy_a");
	if (!plugin)
		return 1;
	lazy_call(plugin);
	return 0;
}
