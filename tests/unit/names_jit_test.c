/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that a process made at run time: perf maps and jitdumps of processes that live here, in
 * another root directory and PID namespace, or are gone by the time of the question.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "names_help.h"

#define PROC_ID 3

/* A process that waits for its end; `child` is run in it first, its PID inside comes back. */
struct process {
	pid_t pid, inside;
	int in;
};

static void start(struct process *p, void (*child)(const char *), const char *arg, int namespaces)
{
	int from[2], to[2];
	pid_t inside;
	char c;

	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	p->pid = (pid_t)syscall(SYS_clone, (long)namespaces | SIGCHLD, 0, 0, 0, 0);
	if (!p->pid) {
		inside = getpid();
		close(to[1]);
		if (child)
			child(arg);
		if (write(from[1], &inside, sizeof(inside)) < 0 || read(to[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(from[1]);
	close(to[0]);
	p->in = to[1];
	assert_true(p->pid > 0);
	assert_int_equal(read(from[0], &p->inside, sizeof(p->inside)), sizeof(p->inside));
	close(from[0]);
}

static void finish(struct process *p)
{
	close(p->in);
	assert_int_equal(waitpid(p->pid, NULL, 0), p->pid);
}

static int look(struct names *n, const struct process *p)
{
	return names_process(n, &(struct jit_owner){ .proc_id = PROC_ID, .pid = p->pid });
}

static void append(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void append_text(const char *path, const char *text)
{
	append(path, text, strlen(text));
}

static const struct stack_frame *frame_at(struct names *n, uint64_t address)
{
	const struct stack_frame *const *frames;
	uint64_t frame = (uint64_t)FRAME_RAW << FRAME_KIND_SHIFT | FRAME_EXACT | address;

	assert_int_equal(names_frames(n, frame, PROC_ID, &frames), 1);
	return frames[0];
}

static void assert_at(struct names *n, uint64_t address, const char *name)
{
	assert_string_equal(frame_at(n, address)->name, name);
}

/* ---- perf-PID.map ---- */

static const char *map_path(const struct process *p)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", p->pid);
	return path;
}

static void a_map_names_its_regions(void **state)
{
	struct names *n = names_open(false);
	struct names_counts counts;
	struct process p;

	start(&p, NULL, NULL, 0);
	append_text(map_path(&p), "7f0000001000 40 LazyCompile:*fib /app/a b.js:12\n"
				  "7f0000001040 10 py::main:/app/x.py\n"
				  "nonsense\n\n7f0000001080\n7f0000001090 zz name\n"
				  "0x7f0000002000 0x20 with_prefix\n");
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x7f0000001000, "LazyCompile:*fib /app/a b.js:12");
	assert_at(n, 0x7f000000103f, "LazyCompile:*fib /app/a b.js:12");
	assert_at(n, 0x7f0000001040, "py::main:/app/x.py");
	assert_at(n, 0x7f0000001050, "[anonymous]+0x7f0000001050");
	assert_at(n, 0x7f0000002010, "with_prefix");
	assert_int_equal(frame_at(n, 0x7f0000001000)->kind, STACK_FRAME_JIT);
	assert_string_equal(frame_at(n, 0x7f0000001000)->module, "[jit]");
	assert_int_equal(frame_at(n, 0x7f0000001000)->address, 0x7f0000001000);
	names_count(n, &counts);
	assert_int_equal(counts.frames, 5);
	assert_int_equal(counts.unnamed, 1);
	assert_int_equal(counts.jit_unnamed, 1);
	assert_int_equal(counts.jit_lost, 0);
	unlink(map_path(&p));
	finish(&p);
	names_close(n);
}

static void the_last_writer_counts(void **state)
{
	struct names *n = names_open(false);
	struct names_counts counts;
	struct process p;

	start(&p, NULL, NULL, 0);
	append_text(map_path(&p), "1000 100 old\n2000 100 other\n1100 10 incomp");
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x1020, "old");
	assert_at(n, 0x3000, "[anonymous]+0x3000");
	append_text(map_path(&p), "lete\n1010 20 new\n3000 8 late\n");
	unlink(map_path(&p));
	finish(&p);
	assert_at(n, 0x1010, "old"); /* nobody told names to read again */
	assert_true(look(n, &p) < 0);
	/* the process and its file are gone */
	assert_at(n, 0x100f, "old");
	assert_at(n, 0x1010, "new");
	assert_at(n, 0x1020, "new");
	assert_at(n, 0x102f, "new");
	assert_at(n, 0x1030, "old");
	assert_at(n, 0x1100, "incomplete");
	assert_at(n, 0x3000, "late");
	names_count(n, &counts);
	assert_int_equal(counts.unnamed, 0);
	names_close(n);
}

static void another_file_takes_its_place(void **state)
{
	struct names *n = names_open(false);
	struct process p;

	start(&p, NULL, NULL, 0);
	append_text(map_path(&p), "1000 100 first\n2000 100 stays\n");
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x1000, "first");
	unlink(map_path(&p));
	append_text(map_path(&p), "1000 80 second\n");
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x1000, "second");
	assert_at(n, 0x1080, "first");
	assert_at(n, 0x2000, "stays");
	unlink(map_path(&p));
	finish(&p);
	names_close(n);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void a_map_that_is_made_at_the_end(void **state)
{
	struct names *n = names_open(false);
	struct process p;
	struct jit_owner who = { .proc_id = PROC_ID, .start_ns = now() };

	start(&p, NULL, NULL, 0);
	who.pid = p.pid;
	assert_int_equal(names_process(n, &who), 0);
	assert_at(n, 0x1000, "[anonymous]+0x1000");
	append_text(map_path(&p), "1000 100 written_at_the_end\n");
	finish(&p);
	who.ended = true;
	assert_int_equal(names_process(n, &who), 0);
	assert_at(n, 0x1000, "written_at_the_end");
	names_close(n);
	n = names_open(false); /* and if it was never seen alive */
	assert_int_equal(names_process(n, &who), 0);
	assert_at(n, 0x1000, "written_at_the_end");
	unlink(map_path(&p));
	names_close(n);
}

static void a_map_of_an_earlier_process_is_not_read(void **state)
{
	struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct names *n = names_open(false);
	struct process p;
	struct jit_owner who = { .proc_id = PROC_ID, .start_ns = now() };

	start(&p, NULL, NULL, 0);
	who.pid = p.pid;
	append_text(map_path(&p), "1000 100 of_another\n");
	assert_int_equal(utimensat(AT_FDCWD, map_path(&p), old, 0), 0);
	assert_int_equal(names_process(n, &who), 0);
	assert_at(n, 0x1000, "[anonymous]+0x1000");
	append_text(map_path(&p), "1000 100 its_own\n");
	assert_int_equal(names_process(n, &who), 0);
	assert_at(n, 0x1000, "its_own");
	unlink(map_path(&p));
	finish(&p);
	names_close(n);
}

/* A child of its own PID namespace, in a root directory that has a /tmp. */
static void live_in(const char *root)
{
	if (chroot(root) || chdir("/"))
		_exit(1);
}

static void map_of_a_container(void **state)
{
	char root[] = "/tmp/dwell-names-root-XXXXXX", path[128];
	struct names *n = names_open(false);
	struct process p;

	if (geteuid())
		skip();
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/tmp", root);
	assert_int_equal(mkdir(path, 0700), 0);
	start(&p, live_in, root, CLONE_NEWPID);
	assert_int_equal(p.inside, 1);
	snprintf(path, sizeof(path), "%s/tmp/perf-1.map", root);
	append_text(path, "1000 100 contained\n");
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x1000, "contained");
	unlink(path);
	finish(&p);
	append_text(path, "2000 100 made_anew\n"); /* after its end, seen by its own root and PID */
	assert_int_equal(names_process(n, &(struct jit_owner){ PROC_ID, p.pid, 0, true }), 0);
	assert_at(n, 0x2000, "made_anew");
	unlink(path);
	snprintf(path, sizeof(path), "%s/tmp", root);
	rmdir(path);
	rmdir(root);
	names_close(n);
}

static uint64_t count_lost(const struct names *n)
{
	struct names_counts counts;

	names_count(n, &counts);
	return counts.jit_lost;
}

static void pipes_and_other_users_files_are_left_alone(void **state)
{
	struct names *n = names_open(false);
	struct process p;

	start(&p, NULL, NULL, 0);
	assert_int_equal(mkfifo(map_path(&p), 0600), 0);
	assert_int_equal(look(n, &p), 0); /* and comes back */
	unlink(map_path(&p));
	if (!geteuid()) {
		append_text(map_path(&p), "1000 100 planted\n");
		assert_int_equal(chown(map_path(&p), 4711, 4711), 0);
		assert_int_equal(look(n, &p), 0);
		assert_at(n, 0x1000, "[anonymous]+0x1000");
		unlink(map_path(&p));
	}
	finish(&p);
	assert_true(look(n, &p) < 0);
	names_close(n);
}

/* ---- jit-PID.dump: by the specification, version 1, little endian ---- */

static size_t put(unsigned char *to, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (unsigned char)(value >> (8 * i));
	return bytes;
}

static void dump_header(const char *path)
{
	unsigned char h[40];
	size_t at = 0;

	at += put(h + at, 0x4A695444, 4);
	at += put(h + at, 1, 4);
	at += put(h + at, sizeof(h), 4);
	at += put(h + at, 62, 4);
	at += put(h + at, 0, 4);
	at += put(h + at, 1234, 4);
	at += put(h + at, 0, 8);
	at += put(h + at, 0, 8);
	assert_int_equal(at, sizeof(h));
	append(path, h, sizeof(h));
}

static size_t record(unsigned char *r, uint32_t id, uint32_t size)
{
	size_t at = put(r, id, 4);

	at += put(r + at, size, 4);
	return at + put(r + at, 1, 8);
}

static void dump_load(const char *path, uint64_t address, uint64_t size, const char *name)
{
	uint32_t total = (uint32_t)(16 + 40 + strlen(name) + 1 + size);
	unsigned char *r = calloc(1, total);
	size_t at = record(r, 0, total);

	at += put(r + at, 1234, 4);
	at += put(r + at, 1234, 4);
	at += put(r + at, address, 8);
	at += put(r + at, address, 8);
	at += put(r + at, size, 8);
	at += put(r + at, 1, 8);
	memcpy(r + at, name, strlen(name) + 1);
	append(path, r, total);
	free(r);
}

static void dump_move(const char *path, uint64_t from, uint64_t to, uint64_t size)
{
	unsigned char r[16 + 48];
	size_t at = record(r, 1, sizeof(r));

	at += put(r + at, 1234, 4);
	at += put(r + at, 1234, 4);
	at += put(r + at, to, 8);
	at += put(r + at, from, 8);
	at += put(r + at, to, 8);
	at += put(r + at, size, 8);
	at += put(r + at, 1, 8);
	assert_int_equal(at, sizeof(r));
	append(path, r, sizeof(r));
}

/* As the specification wants it: an executable mapping of the file is how it is found. */
static void map_it(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		_exit(1);
}

static void a_dump_names_its_regions(void **state)
{
	static const unsigned char lines[16 + 16] = { 2, 0, 0, 0, 32 };
	char folder[] = "/tmp/dwell-names-jit-XXXXXX", path[128];
	struct names *n = names_open(false);
	struct process p;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/jit-1234.dump", folder);
	dump_header(path);
	dump_load(path, 0x5000, 64, "compiled");
	append(path, lines, sizeof(lines)); /* JIT_CODE_DEBUG_INFO, of no entries */
	dump_load(path, 0x6000, 32, "_ZN9wikipedia7article8print_toERSo");
	start(&p, map_it, path, 0);
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x5000, "compiled");
	assert_at(n, 0x503f, "compiled");
	assert_at(n, 0x5040, "[anonymous]+0x5040");
	assert_at(n, 0x6000, "wikipedia::article::print_to(std::ostream&)");
	dump_move(path, 0x5000, 0x7000, 64);
	dump_load(path, 0x5000, 16, "again");
	append(path, lines, 20); /* a record that is being written */
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x7001, "compiled");
	assert_at(n, 0x5001, "again");
	finish(&p);
	unlink(path);
	rmdir(folder);
	names_close(n);
}

#define DUMPS 5 /* of which 3 are read */

static void map_them(const char *folder)
{
	char path[128];

	for (int i = 0; i < DUMPS; i++) {
		snprintf(path, sizeof(path), "%s/jit-%d.dump", folder, i);
		map_it(path);
	}
}

static void dumps_without_room_are_counted_once(void **state)
{
	char folder[] = "/tmp/dwell-names-jit-XXXXXX", path[128];
	struct names *n = names_open(false);
	struct process p;

	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < DUMPS; i++) {
		snprintf(path, sizeof(path), "%s/jit-%d.dump", folder, i);
		dump_header(path);
		dump_load(path, 0x5000 + 0x1000 * (uint64_t)i, 64, "compiled");
	}
	start(&p, map_them, folder, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(look(n, &p), 0);
	assert_int_equal(count_lost(n), 2);
	finish(&p);
	snprintf(path, sizeof(path), "rm -r %s", folder);
	assert_int_equal(system(path), 0);
	names_close(n);
}

static void damaged_dumps_are_left(void **state)
{
	static const unsigned char endless[16] = { 0, 0, 0, 0, 0 };
	char folder[] = "/tmp/dwell-names-jit-XXXXXX", path[128];
	struct names *n = names_open(false);
	struct process p;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/jit-7.dump", folder);
	dump_header(path);
	dump_load(path, 0x5000, 64, "compiled");
	append(path, endless, sizeof(endless)); /* a record of no bytes */
	dump_load(path, 0x6000, 64, "never");
	start(&p, map_it, path, 0);
	assert_int_equal(look(n, &p), 0);
	assert_at(n, 0x5000, "compiled");
	assert_at(n, 0x6000, "[anonymous]+0x6000");
	assert_int_equal(look(n, &p), 0);
	assert_int_equal(count_lost(n), 1);
	finish(&p);
	unlink(path);
	rmdir(folder);
	names_close(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_names_its_regions),
		cmocka_unit_test(the_last_writer_counts),
		cmocka_unit_test(another_file_takes_its_place),
		cmocka_unit_test(a_map_that_is_made_at_the_end),
		cmocka_unit_test(a_map_of_an_earlier_process_is_not_read),
		cmocka_unit_test(map_of_a_container),
		cmocka_unit_test(pipes_and_other_users_files_are_left_alone),
		cmocka_unit_test(a_dump_names_its_regions),
		cmocka_unit_test(dumps_without_room_are_counted_once),
		cmocka_unit_test(damaged_dumps_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
