// SPDX-License-Identifier: BSD-2-Clause
/*
 * compat: makes 32-bit system calls only, by int $0x80. Built twice: as a 64-bit program
 * that uses the old entry, and as a real 32-bit one (compat32) where the compiler can.
 * No library, so each call is its own: the table it prints is all it ever calls, but for
 * the exec that started it and for exits.
 *
 * It blocks by 32-bit calls too; `blocks.STATE` says how often at least, in the parent.
 */

/* Numbers of arch/x86/entry/syscalls/syscall_32.tbl: in the 64-bit table all are others. */
enum {
	NR_EXIT = 1,
	NR_FORK = 2,
	NR_READ = 3,
	NR_WRITE = 4,
	NR_CLOSE = 6,
	NR_WAITPID = 7,
	NR_GETPID = 20,
	NR_PIPE = 42,
	NR_NANOSLEEP = 162,
	NR_POLL = 168,
	NR_FUTEX = 240,
	NR_UNKNOWN = 999,
};

/* Static: a 32-bit call can take no address beyond 4 GiB, which a stack has. */
static struct {
	int seconds, nanoseconds;
} soon = { 0, 40000000 };
static int ends[2], word;
static char text[512], byte;
static int used;

static int call(int nr, long a, long b, long c, long d)
{
	int ret;

	/* a 64-bit caller finds r8 to r11 zeroed */
	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
#ifdef __x86_64__
		     : "memory", "r8", "r9", "r10", "r11");
#else
		     : "memory");
#endif
	return ret;
}

static void put(const char *s)
{
	while (*s)
		text[used++] = *s++;
}

static void put_number(const char *key, int n)
{
	char digits[12];
	int i = 0;

	put(key);
	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		text[used++] = digits[--i];
	text[used++] = '\n';
}

static int child(int writes)
{
	int pid = call(NR_FORK, 0, 0, 0, 0);

	if (pid)
		return pid;
	call(NR_NANOSLEEP, (long)&soon, 0, 0, 0);
	if (writes)
		call(NR_WRITE, ends[1], (long)&byte, 1, 0);
	call(NR_EXIT, 0, 0, 0, 0);
	__builtin_unreachable();
}

static void block(void)
{
	int pid;

	for (int i = 0; i < 3; i++)
		call(NR_NANOSLEEP, (long)&soon, 0, 0, 0);
	call(NR_FUTEX, (long)&word, 0 /* FUTEX_WAIT */, 0, (long)&soon);
	call(NR_POLL, 0, 0, 40, 0);
	call(NR_WAITPID, child(0), 0, 0, 0);
	pid = child(1);
	call(NR_READ, ends[0], (long)&byte, 1, 0);
	call(NR_WAITPID, pid, 0, 0, 0);
}

__attribute__((used)) static void main32(void)
{
	int pid = 0;

	for (int i = 0; i < 11; i++)
		pid = call(NR_GETPID, 0, 0, 0, 0);
	for (int i = 0; i < 4; i++)
		call(NR_CLOSE, -1, 0, 0, 0);
	for (int i = 0; i < 2; i++)
		call(NR_UNKNOWN, 0, 0, 0, 0);
	if (pid <= 0 || call(NR_PIPE, (long)ends, 0, 0, 0))
		call(NR_EXIT, 77, 0, 0, 0);
	block();
	put_number("pid=", pid);
	put("call.getpid=11\ncall.close=4\nerror.close.EBADF=4\ncall.i386:syscall_999=2\n"
	    "error.i386:syscall_999.ENOSYS=2\ncall.pipe=1\ncall.nanosleep=5\ncall.futex=1\n"
	    "error.futex.ETIMEDOUT=1\ncall.poll=1\ncall.fork=2\ncall.waitpid=2\ncall.read=1\n"
	    "call.write=2\ncall.execve=1\n"
	    "blocks.sleep=3\nblocks.futex=1\nblocks.poll=1\nblocks.child=1\nblocks.pipe=1\n");
	put_number("word=", (int)(long)&word);
	call(NR_WRITE, 1, (long)text, used, 0);
	call(NR_EXIT, 0, 0, 0, 0);
}

/* The stack as a C function expects it. */
#ifdef __x86_64__
asm(".globl _start\n_start: and $-16, %rsp\ncall main32\nhlt\n");
#else
asm(".globl _start\n_start: and $-16, %esp\ncall main32\nhlt\n");
#endif
