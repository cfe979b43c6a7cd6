/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Log-linear histogram of nanoseconds, shared by both sides: eight buckets to an
 * octave, so a bucket is at most 1/8 wide and its middle at most 6.7 % off.
 * Bucket 0 takes everything below HIST_MIN_NS, the last everything above its floor.
 */
#ifndef DWELL_HIST_H
#define DWELL_HIST_H

#include <linux/types.h>

#define HIST_SUB_BITS 3
#define HIST_MIN_SHIFT 7			/* 128 ns */
#define HIST_MIN_NS (1ULL << HIST_MIN_SHIFT)
#define HIST_BUCKETS 256			/* to 2^38.9 ns: nine minutes */

/* Position of the highest set bit; BPF (clang 14) has no instruction for it. */
static inline __u32 hist_log2(__u64 v)
{
	__u32 r = 0;

	if (v >= 1ULL << 32) {
		v >>= 32;
		r = 32;
	}
	if (v >= 1U << 16) {
		v >>= 16;
		r += 16;
	}
	if (v >= 1U << 8) {
		v >>= 8;
		r += 8;
	}
	if (v >= 1U << 4) {
		v >>= 4;
		r += 4;
	}
	if (v >= 1U << 2) {
		v >>= 2;
		r += 2;
	}
	return r + (v >= 2);
}

static inline __u32 hist_bucket(__u64 ns)
{
	__u32 log2, bucket;

	if (ns < HIST_MIN_NS)
		return 0;
	log2 = hist_log2(ns);
	bucket = ((log2 - HIST_MIN_SHIFT) << HIST_SUB_BITS) +
		 ((ns >> (log2 - HIST_SUB_BITS)) & ((1U << HIST_SUB_BITS) - 1)) + 1;
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* Lowest value that falls into bucket b. */
static inline __u64 hist_floor(__u32 b)
{
	__u32 log2, sub;

	if (!b)
		return 0;
	b--;
	log2 = (b >> HIST_SUB_BITS) + HIST_MIN_SHIFT;
	sub = b & ((1U << HIST_SUB_BITS) - 1);
	return (1ULL << log2) + ((__u64)sub << (log2 - HIST_SUB_BITS));
}

#endif
