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
#define HIST_MIN_SHIFT 7 /* 128 ns */
#define HIST_MIN_NS (1ULL << HIST_MIN_SHIFT)
#define HIST_BUCKETS 256 /* to 2^38.9 ns: nine minutes */

/*
 * Position of the highest set bit (of 0: 0); BPF (clang 14) has no instruction for it. With
 * all bits below it set too, a product with a de Bruijn sequence has another top six bits
 * for each position. No branch: the CPU has none to mispredict, the verifier one path.
 */
static inline __u32 hist_log2(__u64 v)
{
	/* clang-format off */
	static const __u8 position[64] = {
		0, 47, 1, 56, 48, 27, 2, 60, 57, 49, 41, 37, 28, 16, 3, 61,
		54, 58, 35, 52, 50, 42, 21, 44, 38, 32, 29, 23, 17, 11, 4, 62,
		46, 55, 26, 59, 40, 36, 15, 53, 34, 51, 20, 43, 31, 22, 10, 45,
		25, 39, 14, 33, 19, 30, 9, 24, 13, 18, 8, 12, 7, 6, 5, 63,
	};
	/* clang-format on */

	v |= v >> 1;
	v |= v >> 2;
	v |= v >> 4;
	v |= v >> 8;
	v |= v >> 16;
	v |= v >> 32;
	return position[(v * 0x03f79d71b4cb0a89ULL) >> 58];
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
