/* SPDX-License-Identifier: BSD-2-Clause */
/* Which file is taken for the one that the kernel side saw: never another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mapped_file.h"

static char path[] = "/tmp/dwell-mapped-XXXXXX";
static struct stacks_file_event event;
static void *at;

static uint64_t changed(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
}

/* A file of a page, mapped here, and what the kernel side would say of it. */
static int map_one(void **state)
{
	int fd = mkstemp(path);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	event.head.who.pid = (uint32_t)getpid();
	event.start = (uintptr_t)at;
	event.end = event.start + 4096;
	event.inode = st.st_ino;
	event.dev = (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev));
	event.changed = changed(&st);
	return 0;
}

static int unmap_it(void **state)
{
	munmap(at, 4096);
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
	return 0;
}

static int opened(void)
{
	struct mapped_file m;
	int err = mapped_file_open(&m, &event);

	if (!err)
		mapped_file_close(&m);
	return err;
}

static void on_its_device_the_inode_decides(void **state)
{
	assert_int_equal(opened(), 0);
	event.changed++; /* written to since */
	assert_int_equal(opened(), 0);
	event.inode++;
	assert_int_equal(opened(), -ESTALE);
}

static void on_another_its_last_write_does(void **state)
{
	event.dev++;
	event.inode++;
	assert_int_equal(opened(), 0);
	event.changed++;
	assert_int_equal(opened(), -ESTALE);
}

static void a_mapping_that_has_grown_is_checked_too(void **state)
{
	event.end += 4096; /* no link of that name: by /proc/PID/maps */
	assert_int_equal(opened(), 0);
	event.inode++;
	assert_int_equal(opened(), -ESTALE);
}

static void what_is_gone_is_not_found(void **state)
{
	munmap(at, 4096);
	assert_int_equal(opened(), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(on_its_device_the_inode_decides, map_one, unmap_it),
		cmocka_unit_test_setup_teardown(on_another_its_last_write_does, map_one, unmap_it),
		cmocka_unit_test_setup_teardown(a_mapping_that_has_grown_is_checked_too, map_one,
						unmap_it),
		cmocka_unit_test_setup_teardown(what_is_gone_is_not_found, map_one, unmap_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
