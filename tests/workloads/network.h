/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the workload `network` share; see network.c. */
#ifndef DWELL_WORKLOAD_NETWORK_H
#define DWELL_WORKLOAD_NETWORK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "truth.h"

#define NETWORK_CHUNK 16384 /* of a send or receive */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

extern char buffer[1 << 20];
/* Calls and bytes of this process so far. */
extern struct did {
	uint64_t sends, sent, receives, received;
} did;

/* Loopback, of the kind that is called 4, 6, mapped or connected; returns the length. */
socklen_t loopback(union address *a, const char *kind, int port);
int bound(const char *kind, int type, int port);
int port_of(int fd);
/* Says the port. */
int listening(const char *kind, int backlog);
int connected(const char *kind, int port);
void put(int fd, size_t bytes);
/* Up to `bytes`, or to the end of the stream; returns what came. */
size_t get(int fd, size_t bytes);
/* did, as WHO.PID.KEY, and WHO=PID. */
void say_did(const char *who);
void end_child(pid_t child);

/* network_ends.c */
int refused(long n);
int unreachable(long n);
int reset(long n);
int slow(long ms);
int full(long n);
int reuse(long n);
int held(long n, size_t bytes);

#endif
