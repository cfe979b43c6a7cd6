// SPDX-License-Identifier: BSD-2-Clause
/*
 * A C program that runs Python: loads the library named on the command line at run time and
 * calls, in a thread of its own, C and Python in turn: outer (Python), embed_call (C), inner
 * (Python), which sleeps. Exit 77: no such library.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char program[] = "import ctypes, time\n"
			      "def inner():\n"
			      "    for i in range(20):\n"
			      "        time.sleep(0.01)\n"
			      "def outer():\n"
			      "    ctypes.PyDLL(None).embed_call()\n"
			      "outer()\n";

static int (*run_string)(const char *text);

int embed_call(void);

__attribute__((noinline)) int embed_call(void)
{
	int err = run_string("inner()\n");

	__asm__ volatile("" : : : "memory"); /* the call above is not the last thing done */
	return err;
}

static void *work(void *library)
{
	void (*start)(int) = (void (*)(int))dlsym(library, "Py_InitializeEx");
	int (*end)(void) = (int (*)(void))dlsym(library, "Py_FinalizeEx");

	run_string = (int (*)(const char *))dlsym(library, "PyRun_SimpleString");
	if (!start || !end || !run_string)
		exit(2);
	start(0);
	if (run_string(program))
		exit(1);
	end();
	return NULL;
}

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	pthread_t thread;

	if (!library) {
		fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "no library named");
		return 77;
	}
	if (pthread_create(&thread, NULL, work, library) || pthread_join(thread, NULL))
		return 2;
	return 0;
}
