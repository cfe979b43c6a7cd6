/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks_walk PID TID: stops a thread for a moment, walks its stack over dwell's unwind tables in
 * user space (tests/unit/eh_walk.h), and says it as one line of JSON:
 *
 *   {"whole":true,"rule":6,"frames":["clock_nanosleep","stay",...,"main","?","?","_start"]}
 *
 * "?" is what has no symbol.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "../unit/eh_walk.h"
#include "elf_symbols.h"
#include "truth.h"

static struct eh_registers stop(pid_t tid)
{
	struct user_regs_struct regs;
	int status;

	must(ptrace(PTRACE_SEIZE, tid, NULL, NULL), "PTRACE_SEIZE");
	/* a parent in vfork() stops only when its child lets it go */
	must(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), "PTRACE_INTERRUPT");
	must(waitpid(tid, &status, __WALL), "waitpid");
	must(ptrace(PTRACE_GETREGS, tid, NULL, &regs), "PTRACE_GETREGS");
	return (struct eh_registers){
		.pc = regs.rip, .sp = regs.rsp, .bp = regs.rbp, .di = regs.rdi, .bx = regs.rbx
	};
}

static void say_function(const struct eh_walk_frame *frame)
{
	struct elf_symbols *symbols = frame->path ? elf_symbols_open(frame->path, 0) : NULL;
	struct elf_symbol symbol;

	if (symbols && elf_symbols_find(symbols, ELF_FUNCTION, frame->vaddr, &symbol))
		printf("\"%s\"", symbol.name);
	else
		printf("\"?\"");
	elf_symbols_close(symbols);
}

int main(int argc, char **argv)
{
	static struct eh_walk walk;
	struct eh_registers registers;
	struct eh_process *p;
	pid_t pid, tid;

	if (argc != 3)
		return 2;
	pid = (pid_t)strtol(argv[1], NULL, 10);
	tid = (pid_t)strtol(argv[2], NULL, 10);
	registers = stop(tid);
	p = eh_process_open(pid);
	if (!p)
		die("its mappings");
	eh_walk(p, &registers, &walk);
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
	printf("{\"whole\":%s,\"rule\":%d,\"frames\":[", walk.whole ? "true" : "false", walk.rule);
	for (size_t i = 0; i < walk.n; i++) {
		printf("%s", i ? "," : "");
		say_function(&walk.frames[i]);
	}
	printf("]}\n");
	eh_process_close(p);
	return 0;
}
