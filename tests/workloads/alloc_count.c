// SPDX-License-Identifier: BSD-2-Clause
// A library to preload: counts what a program allocates and frees by itself, as a truth that is
// independent of uprobes. The figures stand in the file that ALLOC_COUNT names, up to date
// at every moment, as a program may free until its very end.
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);
void *memalign(size_t alignment, size_t size);

#define BLOCKS (1U << 20)

struct counts {
	uint64_t allocs, bytes, frees, freed_bytes;
};

static struct counts own, *counts = &own;
static struct block {
	uintptr_t address; /* 0: free, 1: was used */
	size_t size;
} blocks[BLOCKS];
static bool busy;

static void lock(void)
{
	while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE))
		;
}

static void unlock(void)
{
	__atomic_clear(&busy, __ATOMIC_RELEASE);
}

static struct block *place(uintptr_t address, uintptr_t wanted)
{
	uint32_t at = (uint32_t)((address * 0x9e3779b97f4a7c15ULL) >> 40) % BLOCKS;

	for (uint32_t i = 0; i < BLOCKS; i++, at = (at + 1) % BLOCKS)
		if (blocks[at].address == wanted || (!wanted && blocks[at].address == 1) ||
		    !blocks[at].address)
			return &blocks[at];
	abort();
}

static void *made(void *p, size_t size)
{
	if (!p)
		return NULL;
	lock();
	*place((uintptr_t)p, 0) = (struct block){ (uintptr_t)p, size };
	counts->allocs++;
	counts->bytes += size;
	unlock();
	return p;
}

/* Before it is freed: afterwards another thread may have the same address. */
static size_t gone(void *p)
{
	struct block *b;
	size_t size = 0;

	if (!p)
		return 0;
	lock();
	b = place((uintptr_t)p, (uintptr_t)p);
	if (b->address) {
		size = b->size;
		b->address = 1;
		counts->frees++;
		counts->freed_bytes += size;
	}
	unlock();
	return size;
}

void *malloc(size_t size)
{
	return made(__libc_malloc(size), size);
}

void *calloc(size_t n, size_t size)
{
	return made(__libc_calloc(n, size), n * size);
}

void *realloc(void *p, size_t size)
{
	gone(p); /* no program of the tests has it refused */
	return made(__libc_realloc(p, size), size);
}

void *memalign(size_t alignment, size_t size)
{
	return made(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return made(__libc_memalign(alignment, size), size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	*p = made(__libc_memalign(alignment, size), size);
	return *p ? 0 : ENOMEM;
}

void free(void *p)
{
	gone(p);
	__libc_free(p);
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("ALLOC_COUNT");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	struct counts *shared =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (shared == MAP_FAILED)
		return;
	lock();
	*shared = *counts;
	counts = shared;
	unlock();
}
