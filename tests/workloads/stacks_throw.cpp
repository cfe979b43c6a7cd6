// SPDX-License-Identifier: BSD-2-Clause
/*
 * stacks_throw CASE HOW MS: C++ exceptions. `catch`: inside the handler, deep functions are
 * gone. `unwind`: an exception is in flight, a destructor that it runs takes its time. Compilers
 * may put such code into a part of its own: throw_a is then throw_a.cold.
 */
#include <cstring>
#include <stdexcept>

#include "stacks.h"

static bool in_destructor;

struct Guard {
	NOINLINE ~Guard()
	{
		if (in_destructor)
			stay("Guard::~Guard() throw_b throw_a main");
		stacks_sink = stacks_sink + 1;
	}
};

extern "C" {

NOINLINE void throw_d(long depth)
{
	if (depth >= 0)
		throw std::runtime_error("thrown");
	stacks_sink = stacks_sink + 1;
}

NOINLINE void throw_c(long depth)
{
	throw_d(depth + 1);
	stacks_sink = stacks_sink + 1;
}

NOINLINE void throw_b(long depth)
{
	Guard guard;

	throw_c(depth + 1);
	stacks_sink = stacks_sink + 1;
}

NOINLINE void throw_a(long depth)
{
	try {
		throw_b(depth + 1);
	} catch (const std::exception &) {
		if (!in_destructor)
			stay("throw_a main");
	}
	stacks_sink = stacks_sink + 1;
}
}

int main(int argc, char **argv)
{
	stay_setup(argc, argv, 2);
	in_destructor = !strcmp(argv[1], "unwind");
	if (!in_destructor && strcmp(argv[1], "catch") != 0)
		stay_usage(" catch|unwind");
	throw_a(argc);
	return 0;
}
