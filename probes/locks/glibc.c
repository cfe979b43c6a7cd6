/* SPDX-License-Identifier: BSD-2-Clause */
/* glibc's locks; see glibc.h. */
#include "glibc.h"

#include <string.h>

const char *const lock_kind_names[LOCK_KINDS] = {
	[LOCK_FUTEX] = "futex",           [LOCK_MUTEX] = "mutex",   [LOCK_CONDITION] = "condition",
	[LOCK_SEMAPHORE] = "semaphore",   [LOCK_RWLOCK] = "rwlock", [LOCK_BARRIER] = "barrier",
	[LOCK_THREAD_END] = "thread_end", [LOCK_ONCE] = "once",
};

/* sysdeps/nptl/bits/struct_mutex.h, x86-64 */
struct mutex_bytes {
	uint32_t lock, count, owner, users, kind;
	uint16_t spins, elision;
};

_Static_assert(sizeof(struct mutex_bytes) == MUTEX_BYTES, "mutex_bytes is not MUTEX_BYTES");

/* nptl/pthreadP.h: the kind's bits */
enum {
	KIND_TYPE = 3, /* normal, recursive, error checking, adaptive */
	KIND_ROBUST = 16,
	KIND_PI = 32,
	KIND_PP = 64, /* priority protection: the lock word has the ceiling above bit 19 */
	KIND_SHARED = 128,
	KIND_ELISION = 256,
	KIND_NO_ELISION = 512,
	KIND_ALL = KIND_TYPE | KIND_ROBUST | KIND_PI | KIND_PP | KIND_SHARED | KIND_ELISION |
		   KIND_NO_ELISION,
	KIND_PP_CEILING_SHIFT = 19,
};

#define TID_MASK 0x3fffffffU /* FUTEX_TID_MASK; above it FUTEX_WAITERS, FUTEX_OWNER_DIED */
#define PID_MAX (4U << 20)   /* PID_MAX_LIMIT */
#define USERS_MAX 65536
#define OWNER_GONE 0x7fffffffU /* robust mutexes: INT_MAX and its neighbour say so */

/* The word of a lock whose owner stands in it, or of one that counts 0, 1, 2. */
static bool word_fits(const struct mutex_bytes *m)
{
	uint32_t tid = m->lock & TID_MASK;

	if (m->kind & (KIND_ROBUST | KIND_PI))
		return tid <= PID_MAX;
	if (m->kind & KIND_PP)
		return (m->lock & ((1U << KIND_PP_CEILING_SHIFT) - 1)) <= 2;
	return m->lock <= 2;
}

bool mutex_decode(const void *bytes, size_t size, struct mutex_view *view)
{
	struct mutex_bytes m;
	uint32_t owner;

	if (size < sizeof(m))
		return false;
	memcpy(&m, bytes, sizeof(m));
	if ((m.kind & ~(uint32_t)KIND_ALL) || !word_fits(&m) || m.users > USERS_MAX)
		return false;
	owner = m.owner;
	if ((m.kind & KIND_ROBUST) && owner >= OWNER_GONE - 1)
		owner = 0;
	if (owner > PID_MAX || (owner && !m.users && !(m.kind & KIND_ELISION)))
		return false;
	/* recursive, robust and PI ones count their owner's locks */
	if (m.count &&
	    (!owner || !((m.kind & KIND_TYPE) == 1 || (m.kind & (KIND_ROBUST | KIND_PI)))))
		return false;
	*view = (struct mutex_view){
		.locked = m.kind & (KIND_ROBUST | KIND_PI) ? m.lock & TID_MASK : m.lock & 3,
		.recursive = (m.kind & KIND_TYPE) == 1,
		.error_checking = (m.kind & KIND_TYPE) == 2,
		.adaptive = (m.kind & KIND_TYPE) == 3,
		.robust = m.kind & KIND_ROBUST,
		.pi = m.kind & KIND_PI,
		.shared = m.kind & KIND_SHARED,
	};
	/* between the lock word and the owner there is a moment: then nobody is known */
	view->owner = view->locked ? owner : 0;
	return true;
}

static const struct {
	const char *function;
	enum lock_kind kind;
} callers[] = {
	{ "pthread_mutex_lock", LOCK_MUTEX },
	{ "__pthread_mutex_lock", LOCK_MUTEX },
	{ "pthread_mutex_timedlock", LOCK_MUTEX },
	{ "pthread_mutex_clocklock", LOCK_MUTEX },
	{ "pthread_cond_wait", LOCK_CONDITION },
	{ "pthread_cond_timedwait", LOCK_CONDITION },
	{ "pthread_cond_clockwait", LOCK_CONDITION },
	{ "pthread_cond_signal", LOCK_CONDITION },
	{ "pthread_cond_broadcast", LOCK_CONDITION },
	{ "pthread_cond_destroy", LOCK_CONDITION },
	{ "cnd_wait", LOCK_CONDITION },
	{ "sem_wait", LOCK_SEMAPHORE },
	{ "sem_timedwait", LOCK_SEMAPHORE },
	{ "sem_clockwait", LOCK_SEMAPHORE },
	{ "pthread_rwlock_rdlock", LOCK_RWLOCK },
	{ "pthread_rwlock_wrlock", LOCK_RWLOCK },
	{ "pthread_rwlock_timedrdlock", LOCK_RWLOCK },
	{ "pthread_rwlock_timedwrlock", LOCK_RWLOCK },
	{ "pthread_rwlock_clockrdlock", LOCK_RWLOCK },
	{ "pthread_rwlock_clockwrlock", LOCK_RWLOCK },
	{ "__pthread_rwlock_rdlock", LOCK_RWLOCK },
	{ "__pthread_rwlock_wrlock", LOCK_RWLOCK },
	{ "pthread_barrier_wait", LOCK_BARRIER },
	{ "pthread_join", LOCK_THREAD_END },
	{ "pthread_timedjoin_np", LOCK_THREAD_END },
	{ "pthread_clockjoin_np", LOCK_THREAD_END },
	{ "thrd_join", LOCK_THREAD_END },
	{ "pthread_once", LOCK_ONCE },
	{ "__pthread_once", LOCK_ONCE },
};

enum lock_kind lock_kind_of_caller(const char *function)
{
	for (size_t i = 0; function && i < sizeof(callers) / sizeof(callers[0]); i++)
		if (!strcmp(callers[i].function, function))
			return callers[i].kind;
	return LOCK_FUTEX;
}
