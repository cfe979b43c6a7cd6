/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a command will map as it starts: its program, the interpreters of a script, the ELF
 * interpreter, the libraries that they need. Found as ld.so would (DT_RPATH and DT_RUNPATH,
 * LD_LIBRARY_PATH, ld.so.cache, the standard directories); what is missed, or loaded later,
 * is seen when it is mapped.
 */
#ifndef DWELL_STACKS_STARTUP_H
#define DWELL_STACKS_STARTUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STARTUP_FILES 128

struct startup_file {
	char *path;
	int fd;
	void *map; /* a page of it, as code */
	dev_t dev;
	ino_t inode;
	uint32_t number; /* for who uses the list; 0 at first */
};

struct startup {
	struct startup_file files[STARTUP_FILES];
	size_t n;
};

/* command: as execvp() takes it. */
void startup_find(struct startup *s, const char *command);
void startup_free(struct startup *s);

#endif
