/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu_names.h"

const char *cpu_vector_name(size_t vector)
{
	static const char *const names[CPU_VECTORS] = {
		[VECTOR_LOCAL_TIMER] = "local_timer",
		[VECTOR_RESCHEDULE] = "reschedule",
		[VECTOR_CALL_FUNCTION] = "call_function",
		[VECTOR_CALL_FUNCTION_SINGLE] = "call_function_single",
		[VECTOR_IRQ_WORK] = "irq_work",
		[VECTOR_DEVICE] = "device",
	};

	return vector < CPU_VECTORS ? names[vector] : NULL;
}

const char *cpu_softirq_name(size_t nr)
{
	static const char *const names[CPU_SOFTIRQS] = {
		"hi",       "timer",   "net_tx", "net_rx",  "block",
		"irq_poll", "tasklet", "sched",  "hrtimer", "rcu",
	};

	return nr < CPU_SOFTIRQS ? names[nr] : NULL;
}
