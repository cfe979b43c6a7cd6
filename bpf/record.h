/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records that both sides share for every probe: who a thread is, and what the
 * kernel side tells through the `events` ring. Fixed-width fields, widest first,
 * no holes; times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns, task->start_time).
 */
#ifndef DWELL_RECORD_H
#define DWELL_RECORD_H

#include <linux/types.h>

#define COMM_LEN 16

enum target_flag {
	TARGET_ROOT = 2,       /* a thread of the process that dwell started */
	TARGET_ATTACHED = 4,   /* lived before we came: accounted from born_ns, not start_ns */
	TARGET_RUNNING = 32,   /* of a ledger's account: opened while the thread may have run */
	TARGET_ENDED = 16,     /* of a leader: its process's end has been counted */
	TARGET_PREEXEC = 8,    /* the root before its first exec: still dwell's own code */
	TARGET_CLOSED = 64,    /* its last switch away has been seen: what it used is charged */
	TARGET_NEWBORN = 128,  /* no call of it has returned: the first may be its parent's fork */
	TARGET_EXECVEAT = 256, /* the exec that is about to return came by execveat */
};

/*
 * A followed thread: the value of the `targets` map (task storage). proc_id and
 * thread_id are serial numbers of this session, never used twice, so a PID that the
 * kernel hands out again is a new row everywhere.
 */
struct target {
	__u64 start_ns;      /* task->start_time when first seen: exec may overwrite it */
	__u64 born_ns;       /* from when on we account: the birth hook, or the attach */
	__u64 proc_start_ns; /* start time of the thread group's leader */
	__u32 proc_id;
	__u32 thread_id;
	__u32 pid;   /* tgid as dwell's PID namespace sees it; 0: not visible there */
	__u32 tid;   /* ditto, of the thread */
	__u32 flags; /* enum target_flag */
	__u32 slot;  /* of its process, slot.h; 0: it has none of its own */
};

/* Constants of a session, the map `.rodata.cfg` of every object. */
struct bpf_cfg {
	__u64 pidns_inum; /* dwell's PID namespace: inode of /proc/self/ns/pid */
	__u32 exclude_children;
	__u32 all;             /* every thread but dwell's own and the kernel's */
	__u32 self_tgid;       /* dwell, in its own namespace */
	__u32 sample_interval; /* of events of high frequency count one in so many; 0, 1: all */
};

enum event_kind {
	EVENT_BIRTH = 1,      /* struct birth_event; also for threads found at attach */
	EVENT_EXEC,           /* struct exec_event */
	EVENT_EXIT,           /* struct exit_event: at sched_process_exit, still running */
	EVENT_LEDGER_FINAL,   /* struct ledger_packed: the last switch away */
	EVENT_MEMORY_OOM,     /* struct memory_oom */
	EVENT_STACKS_BODY,    /* struct stacks_body, stacks.h */
	EVENT_STACKS_FILE,    /* struct stacks_file_event */
	EVENT_STACKS_PROCESS, /* struct event_head alone, stacks_maps.h */
	EVENT_STACKS_COPY,    /* struct stacks_copy */
	EVENT_STACKS_CODE,    /* struct python_code_event, python_layout.h */
	EVENT_STACKS_CODE_AT, /* struct python_code_place */
	EVENT_STACKS_FULL,    /* struct event_head: half of the table of rows is used */
	EVENT_MEMORY_CHANGE,  /* --alloc: struct memory_change */
};

struct event_head {
	__u32 kind; /* enum event_kind */
	__u32 flags;
	struct target who;
};

struct birth_event {
	struct event_head head;
	__u32 parent_proc_id; /* 0: the parent is not a target */
	__u32 ppid;
	char comm[COMM_LEN];
};

struct exec_event {
	struct event_head head; /* who.tid is the new one: a follower takes the leader's */
	__u64 now_ns;
	__u32 old_tid;
	__u32 pad;
	char comm[COMM_LEN];
};

struct exit_event {
	struct event_head head;
	__u64 now_ns;
	__u64 utime_ns, stime_ns; /* task->utime, stime: the kernel's own accounting */
	__u64 min_flt, maj_flt;
	__u64 read_bytes, write_bytes; /* task->ioac: from and to storage */
	__u64 rchar, wchar;
	__u32 exit_code;  /* wait status format: the group's if it exits as one */
	__u16 group_exit; /* 1: exit_code is the group's */
	__u16 group_dead; /* 1: no other thread of its process is left, or is at its end too */
	char comm[COMM_LEN];
};

/*
 * Slots of the shared array `counters`: what the kernel side counts on its own account.
 * COUNTER_LOST_* go to the trust block, each with its meaning there.
 */
enum counter {
	COUNTER_THREADS_BORN,   /* threads that became targets, found ones included */
	COUNTER_THREADS_ENDED,  /* final records written or spilled */
	COUNTER_THREADS_EXITED, /* threads that came to sched_process_exit */
	COUNTER_PROCESSES_BORN,
	COUNTER_PROCESSES_ENDED,
	COUNTER_EXECS,
	COUNTER_NEXT_PROC_ID,
	COUNTER_NEXT_THREAD_ID,
	COUNTER_NEXT_HIST,   /* ledger_hists: blocks handed out so far */
	COUNTER_LOST_TARGET, /* no memory for a new thread's membership: not followed */
	COUNTER_LOST_LEDGER, /* ditto, for its account */
	COUNTER_LOST_BIRTH,  /* ring full: a birth not told (the account is kept) */
	COUNTER_LOST_EXEC,
	COUNTER_LOST_EXIT,
	COUNTER_SPILLED_FINAL, /* ring full at a thread's end: in the tree's totals only */
	COUNTER_SHARED_HIST,   /* no block left: a thread's state has no percentiles */
	COUNTER_LOST_HIST,     /* a spilled thread's blocks could not be handed back */
	COUNTER_OTHER_OBJECT,  /* object table full: counted in the row `other` */
	COUNTER_LOST_NAME,     /* name table full: the object is shown by number */
	COUNTER_OTHER_WAKER,   /* waker table full: counted in the row `other` */
	COUNTER_LOST_SYSCALLS, /* syscalls_rare full: a call counted for the tree, without its name */
	COUNTER_LOST_ERRNO,    /* errno table full: counted in the row `other` */
	COUNTER_LOST_CALL_TIME, /* no memory for a thread: its call is not timed */
	COUNTER_UNTOLD_END,     /* a thread's end that had no account to tell of */
	COUNTER_UNSEEN_ARRIVAL, /* a thread left its CPU that no event had put on it */
	COUNTER_UNSEEN_WAKE,    /* a blocked thread came to a CPU and no event had woken it */
	COUNTER_STALE,          /* raw_tp: a dead thread's entry under a new thread's address */
	COUNTER_NEXT_SLOT,      /* slots handed out so far, without those handed back */
	COUNTER_SHARED_SLOT,    /* no slot left: a process is in the tree's figures only */
	COUNTER_OTHER_DEVICE,   /* cpu_devices full: counted in the row `other` */
	COUNTER_LOST_QUOTA,     /* cpu_groups full: a group with a quota is not told */
	COUNTER_LOST_SOCKET,    /* no memory for a TCP socket: its connection is not followed */
	COUNTER_LOST_CONNECT,   /* errno table of failed connects full: only their number */
	COUNTER_OTHER_PEER,     /* peer table full: counted in the row `other` */
	COUNTER_LOST_MM,        /* no room for an address space of the memory probe */
	COUNTER_LOST_OOM,       /* ring full: an OOM kill not told */
	COUNTER_OTHER_KMEM,     /* --kmem: table full, counted in the row `other` */
	COUNTER_OTHER_LIVE,     /* --kmem: table full, whether it was freed is not known */
	COUNTER_LOST_MESSAGE,   /* sendmmsg, recvmmsg: a length could not be read back */
	COUNTER_TORN,           /* a live record changed each time that it was read */
	COUNTER_NEXT_IO_FILE,   /* io_files: rows handed out so far */
	COUNTER_NEXT_IO_DEVICE, /* io_devices */
	COUNTER_OTHER_IO_FILE,  /* file table full: a call counted in the row `other` */
	COUNTER_OTHER_IO_DEVICE,
	COUNTER_UNSEEN_COMPLETION, /* a request's end that no event told */
	COUNTER_LOST_IO_REQUEST,   /* request table full: a request without latency */
	COUNTER_OTHER_LOCK,        /* a lock without a row: its calls stand in the row `other` */
	COUNTER_OTHER_SITE,        /* a stack without a row: its waits stand in the row `other` */
	COUNTER_LOST_PAIR,         /* --lock-order: two locks whose order was not kept */
	COUNTER_NEXT_STACKS_FILE,  /* stacks: files with code that were given a number */
	COUNTER_LOST_STACKS_FILE,  /* no number left: a file's code has no names */
	COUNTER_LATE_STACKS_FILE,  /* ring full: a file is told of later */
	COUNTER_LOST_MAPS,         /* stacks_maps full: a process whose mappings are not kept */
	COUNTER_LOST_MAPPING,      /* too many mappings of a process: one is not kept */
	COUNTER_LATE_STACK,        /* ring full: a stack is told when it is met again */
	COUNTER_LOST_STACK,        /* stacks_seen full: a stack without its frames */
	COUNTER_LOST_STACK_COPY,   /* a stack stays cut at a file without a table */
	COUNTER_BUSY_STACK,        /* a walk was under way on that CPU: no stack taken */
	COUNTER_LOST_SAMPLE,       /* stacks_rows full, or busy: a sample not counted */
	COUNTER_LOST_STACK_BODY,   /* set by user space: samples of stacks that were never told */
	COUNTER_OTHER_STACK,       /* ditto: samples for whose stacks it had no room */
	COUNTER_NEXT_PYTHON_CODE,  /* code objects numbered so far */
	COUNTER_LOST_PYTHON_CODE,  /* one could not be read or told: its frame has no name */
	COUNTER_LOST_PYTHON_BODY,  /* set by user space: code objects that it had no room for */
	COUNTER_LOST_PYTHON_READ,  /* ditto: code objects gone before it could read them */
	COUNTER_LOST_PLACE,        /* set by user space: places in code that it had no room for */
	COUNTER_LOST_JIT,          /* ditto: code made at run time */
	COUNTER_LOST_CODE_FILE,    /* ditto: files with code that it could not read */
	COUNTER_OTHER_HEAP,        /* --alloc: a process without a row: in `other` */
	COUNTER_OTHER_CALLER,      /* --alloc: a stack without a row: in `other` */
	COUNTER_LOST_BLOCK,        /* --alloc: a block for which there was no room */
	COUNTER_LOST_CHANGE,       /* --alloc: ring full: a mapping was not told */
	COUNTER_LOST_CALL,         /* --alloc: no room for a thread: its call is not counted */
	COUNTER_LOST_TABLE,        /* set by user space: unwind tables that it could not put in */
	COUNTER_LOST_INLINED,      /* ditto: files with debug information that it had no room for */
	COUNTER_LOST_KERNEL_NAME,  /* ditto: functions of the kernel */
	COUNTER_LOST_ROOT,         /* ditto: files and processes of root directories */
	COUNTER_FOLDED_ROW,        /* set by user space: rows of dead processes, added to others */
	COUNTER_MAX = 96
};

/* Value of the shared array `control`: what the user side tells the kernel side while it runs. */
struct control {
	__u32 launcher_tid; /* the thread that is about to fork the command; 0: none */
	__u32 forgets;      /* the ledger sees each switch away from a target (running.bpf.h) */
};

_Static_assert(sizeof(struct target) == 48, "struct target has holes");
_Static_assert(sizeof(struct event_head) == 56, "struct event_head has holes");
_Static_assert(sizeof(struct birth_event) == 80, "struct birth_event has holes");
_Static_assert(sizeof(struct exec_event) == 88, "struct exec_event has holes");
_Static_assert(sizeof(struct exit_event) == 152, "struct exit_event has holes");

#endif
