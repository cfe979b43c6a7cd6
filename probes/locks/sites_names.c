/* SPDX-License-Identifier: BSD-2-Clause */
/* Lock code and tracing by their functions' names; see sites.h. */
#include "sites.h"

#include <stdbool.h>
#include <string.h>

/* What stands above the lock code: the program that took the stack, and what called it. */
static const char *const tracing[] = {
	"bpf_", "__bpf_trace_", "__traceiter_", "trace_contention_", "__trace_contention_", "perf_",
};

/*
 * kernel/locking/ and its faces: functions whose name begins so. The sections .sched.text
 * and .spinlock.text would say the same, but not of slow paths before 6.2 (501f7f69bca1).
 */
static const char *const lock_code[] = {
	"_raw_",     "__raw_",      "native_queued_", "__pv_queued_",   "queued_",
	"mutex_",    "__mutex_",    "ww_mutex_",      "__ww_mutex_",    "down_",
	"__down",    "rwsem_",      "percpu_down_",   "__percpu_down_", "percpu_rwsem_",
	"rt_mutex_", "__rt_mutex_", "rt_spin_",       "rt_read_",       "rt_write_",
	"rtlock_",   "__rtlock_",   "rwbase_",        "__rwbase_",      "rt_rwlock_",
	"rt_down_",  "__rt_down_",
};

static bool begins(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(name, list[i], strlen(list[i])))
			return true;
	return false;
}

static bool is_lock_code(const char *name)
{
	return !strcmp(name, "down") ||
	       begins(lock_code, sizeof(lock_code) / sizeof(lock_code[0]), name);
}

size_t site_caller(const char *const *functions, size_t n)
{
	size_t i = 0;

	while (i < n && !is_lock_code(functions[i]) &&
	       begins(tracing, sizeof(tracing) / sizeof(tracing[0]), functions[i]))
		i++;
	while (i < n && is_lock_code(functions[i]))
		i++;
	return i;
}
