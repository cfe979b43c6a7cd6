// SPDX-License-Identifier: BSD-2-Clause
/* begin: prints CLOCK_MONOTONIC, ns, as its first act: when a command's own code began. */
#include "clock.h"

int main(void)
{
	printf("%.0f\n", clock_ns());
	return 0;
}
