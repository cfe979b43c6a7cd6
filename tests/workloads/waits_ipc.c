// SPDX-License-Identifier: BSD-2-Clause
// waits for a futex, a mutex, System V and POSIX messages, semaphores, io_uring; see waits.h.
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"
#include "waits.h"

static int id = -1;
static mqd_t queue = (mqd_t)-1;

struct message {
	long type;
	char text[1];
};

static uint32_t *futex_word(void)
{
	return (uint32_t *)(void *)shared->room;
}

static pthread_mutex_t *mutex(void)
{
	return (pthread_mutex_t *)(void *)shared->room;
}

static void setup_futex(void)
{
	say("address", "%p", (void *)futex_word());
}

static void arm_futex(void)
{
	__atomic_store_n(futex_word(), 1, __ATOMIC_SEQ_CST);
}

static void wait_futex(uint64_t ns)
{
	(void)ns;
	while (__atomic_load_n(futex_word(), __ATOMIC_SEQ_CST))
		syscall(SYS_futex, futex_word(), FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void wake_futex(void)
{
	__atomic_store_n(futex_word(), 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, futex_word(), FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void setup_mutex(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex(), &attr);
	say("address", "%p", (void *)mutex());
}

static void arm_mutex(void)
{
	pthread_mutex_lock(mutex());
}

static void wait_mutex(uint64_t ns)
{
	(void)ns;
	pthread_mutex_lock(mutex());
	pthread_mutex_unlock(mutex());
}

static void wake_mutex(void)
{
	pthread_mutex_unlock(mutex());
}

static void remove_msg(void)
{
	msgctl(id, IPC_RMID, NULL);
}

static void remove_sem(void)
{
	semctl(id, 0, IPC_RMID);
}

static void setup_msg(void)
{
	id = msgget(IPC_PRIVATE, 0600);
	if (id < 0)
		skip("msgget");
	atexit(remove_msg);
}

static void wait_msg(uint64_t ns)
{
	struct message m;

	(void)ns;
	must(msgrcv(id, &m, sizeof(m.text), 0, 0), "msgrcv");
}

static void wake_msg(void)
{
	struct message m = { .type = 1 };

	must(msgsnd(id, &m, sizeof(m.text), 0), "msgsnd");
}

static void setup_sem(void)
{
	id = semget(IPC_PRIVATE, 1, 0600);
	if (id < 0)
		skip("semget");
	atexit(remove_sem);
}

static void wait_sem(uint64_t ns)
{
	struct sembuf down = { 0, -1, 0 };

	(void)ns;
	must(semop(id, &down, 1), "semop");
}

static void wake_sem(void)
{
	struct sembuf up = { 0, 1, 0 };

	must(semop(id, &up, 1), "semop");
}

static void setup_mq(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 8 };
	char name[64];

	snprintf(name, sizeof(name), "/dwell-waits-%d", getpid());
	queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	if (queue == (mqd_t)-1)
		skip("mq_open");
	mq_unlink(name);
}

static void wait_mq(uint64_t ns)
{
	char text[8];

	(void)ns;
	must(mq_receive(queue, text, sizeof(text), NULL), "mq_receive");
}

static void wake_mq(void)
{
	must(mq_send(queue, "x", 1, 0), "mq_send");
}

static struct {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail;
	struct io_uring_sqe *sqes;
} ring;

static void *ring_map(size_t size, off_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
		       offset);

	if (p == MAP_FAILED)
		die("mmap io_uring");
	return p;
}

static void enter_uring(void)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	if (ring.fd < 0)
		skip("io_uring_setup");
	sq = ring_map(p.sq_off.array + p.sq_entries * sizeof(unsigned int), IORING_OFF_SQ_RING);
	cq = ring_map(p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	ring.sqes = ring_map(p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	ring.sq_tail = (unsigned int *)(void *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned int *)(void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned int *)(void *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned int *)(void *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned int *)(void *)(cq + p.cq_off.tail);
}

/* One timeout operation, submitted and waited for in one call. */
static void wait_uring(uint64_t ns)
{
	struct __kernel_timespec t = { (long long)(ns / 1000000000), (long long)(ns % 1000000000) };
	unsigned int slot = *ring.sq_tail & *ring.sq_mask;

	memset(&ring.sqes[slot], 0, sizeof(ring.sqes[slot]));
	ring.sqes[slot].opcode = IORING_OP_TIMEOUT;
	ring.sqes[slot].addr = (uint64_t)(uintptr_t)&t;
	ring.sqes[slot].len = 1;
	ring.sq_array[slot] = slot;
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
	must(syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0),
	     "io_uring_enter");
	__atomic_store_n(ring.cq_head, __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
}

const struct wait_kind wait_kinds_ipc[] = {
	{ .name = "futex",
	  .setup = setup_futex,
	  .arm = arm_futex,
	  .wait = wait_futex,
	  .wake = wake_futex },
	{ .name = "mutex",
	  .setup = setup_mutex,
	  .arm = arm_mutex,
	  .wait = wait_mutex,
	  .wake = wake_mutex },
	{ .name = "msgrcv", .setup = setup_msg, .wait = wait_msg, .wake = wake_msg },
	{ .name = "semop", .setup = setup_sem, .wait = wait_sem, .wake = wake_sem },
	{ .name = "mq_receive", .setup = setup_mq, .wait = wait_mq, .wake = wake_mq },
	{ .name = "io_uring", .enter = enter_uring, .wait = wait_uring },
	{}
};
