/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hand-made unwind information. The code is never run; each label is a place whose row is
 * known because the directives before it say so.
 */
#include "eh_hard.h"

#include <link.h>
#include <stddef.h>

/* clang-format off */
__asm__(
	".pushsection .text\n"
	/* a function that keeps rbp, goes deep and comes back */
	"	.p2align 5\n"
	"hard_plain:\n"
	"	.cfi_startproc\n"
	"	nop\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset 6, -16\n"
	"hard_saved_rbp:\n"
	"	nop\n"
	"	.cfi_def_cfa_register 6\n"
	"hard_from_rbp:\n"
	"	nop\n"
	"	.cfi_remember_state\n"
	"	.cfi_def_cfa 7, 8\n"
	"	.cfi_restore 6\n"
	"hard_epilogue:\n"
	"	nop\n"
	"	.cfi_restore_state\n"
	"hard_restored:\n"
	"	nop\n"
	"	.cfi_def_cfa 7, 262136\n"
	"	.cfi_same_value 6\n"
	"hard_greatest:\n"
	"	nop\n"
	"	.cfi_def_cfa_offset 262144\n"
	"hard_far:\n"
	"	nop\n"
	"	.cfi_offset 3, -56\n"			/* of these frames rbx is not told */
	"	.cfi_def_cfa_offset 4194296\n"
	"hard_farthest:\n"
	"	nop\n"
	"	.cfi_same_value 3\n"
	"	.cfi_def_cfa_offset 4194304\n"
	"hard_too_great:\n"
	"	nop\n"
	"	.cfi_def_cfa_offset 64\n"
	"	.cfi_offset 3, -56\n"
	"hard_saved_rbx:\n"
	"	nop\n"
	"	.cfi_offset 3, -16\n"
	"hard_saved_rbx_first:\n"
	"	nop\n"
	"	.cfi_offset 3, -64\n"
	"hard_rbx_elsewhere:\n"
	"	nop\n"
	"	.cfi_restore 3\n"
	"hard_rbx_restored:\n"
	"	nop\n"
	"	.cfi_def_cfa_offset 12\n"
	"hard_odd:\n"
	"	nop\n"
	"	.cfi_def_cfa 7, 32\n"
	"	.cfi_offset 6, -1024\n"
	"hard_far_rbp:\n"
	"	nop\n"
	"	.cfi_offset 6, -1032\n"
	"hard_too_far_rbp:\n"
	"	nop\n"
	"	.cfi_endproc\n"
	"	.fill 32, 1, 0x90\n"
	/* rules that the compiler does not write, in one function */
	"hard_others:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined 16\n"
	"	nop\n"
	"	.cfi_restore 16\n"
	"	.cfi_def_cfa 7, 0\n"
	"	.cfi_register 16, 5\n"
	"hard_rdi:\n"
	"	nop\n"
	"	.cfi_register 16, 8\n"
	"hard_r8:\n"
	"	nop\n"
	"	.cfi_offset 16, -8\n"
	"	.cfi_def_cfa 3, 24\n"
	"hard_rbx:\n"
	"	nop\n"
	"	.cfi_def_cfa 11, 8\n"
	"hard_r11:\n"
	"	nop\n"
	"	.cfi_def_cfa 17, 8\n"
	"hard_xmm0:\n"
	"	nop\n"
	"	.cfi_escape 0x0f, 3, 0x76, 0x78, 0x06\n"		/* *(rbp - 8) */
	"	.cfi_escape 0x10, 6, 2, 0x76, 0x00\n"			/* rbp at rbp */
	"hard_realigned:\n"
	"	nop\n"
	"	.cfi_escape 0x16, 6, 2, 0x76, 0x00\n"			/* its value, not its place */
	"hard_val_expression:\n"
	"	nop\n"
	"	.cfi_same_value 6\n"
	"	.cfi_escape 0x0f, 6, 0x77, 0x98, 0x01, 0x06, 0x23, 8\n"	/* *(rsp + 152) + 8 */
	"hard_pushed_rsp:\n"
	"	nop\n"
	"	.cfi_offset 6, -24\n"
	"hard_pushed_rsp_and_rbp:\n"
	"	nop\n"
	"	.cfi_escape 0x0f, 6, 0x77, 0x98, 0x01, 0x06, 0x23, 56\n"
	"hard_pushed_elsewhere:\n"
	"	nop\n"
	"	.cfi_same_value 6\n"
	"	.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a, 0x33, 0x24, 0x22\n"
	"hard_plt:\n"
	"	nop\n"
	"	.cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a, 0x32, 0x24, 0x22\n"
	"hard_no_plt:\n"
	"	nop\n"
	"	.cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06\n"		/* *(rsp + 160) */
	"	.cfi_escape 0x10, 16, 3, 0x77, 0xa8, 0x01\n"		/* rip at rsp + 168 */
	"	.cfi_escape 0x10, 6, 3, 0x77, 0xf8, 0x00\n"		/* rbp at rsp + 120 */
	"hard_signal:\n"
	"	nop\n"
	"	.cfi_escape 0x10, 16, 3, 0x77, 0xb0, 0x01\n"		/* rip elsewhere */
	"hard_no_signal:\n"
	"	nop\n"
	"	.cfi_endproc\n"
	"hard_gap:\n"
	"	.fill 15, 1, 0x90\n"
	"hard_small_gap:\n"
	"	nop\n"
	"	.fill 16, 1, 0x90\n"
	"hard_after_gap:\n"
	"	.cfi_startproc\n"
	"	nop\n"
	"	.cfi_endproc\n"
	"	.fill 15, 1, 0x90\n"
	"hard_after_padding:\n"
	"	.cfi_startproc\n"
	"	nop\n"
	"	.cfi_undefined 16\n"
	"hard_end:\n"
	"	nop\n"
	"	.cfi_endproc\n"
	"	.fill 32, 1, 0x90\n"
	".popsection\n"
);
/* clang-format on */

extern const char hard_plain[], hard_saved_rbp[], hard_from_rbp[], hard_epilogue[], hard_restored[],
	hard_greatest[], hard_far[], hard_farthest[], hard_too_great[], hard_saved_rbx[],
	hard_saved_rbx_first[], hard_rbx_elsewhere[], hard_rbx_restored[], hard_r11[], hard_xmm0[],
	hard_odd[], hard_far_rbp[], hard_too_far_rbp[], hard_others[], hard_rdi[], hard_r8[],
	hard_rbx[], hard_realigned[], hard_val_expression[], hard_pushed_rsp[],
	hard_pushed_rsp_and_rbp[], hard_pushed_elsewhere[], hard_plt[], hard_no_plt[],
	hard_signal[], hard_no_signal[], hard_gap[], hard_small_gap[], hard_after_gap[],
	hard_after_padding[], hard_end[];

#define ROW(rule_, cfa_, rbp_)                                                                     \
	{                                                                                          \
		.rule = UNWIND_##rule_, .cfa = cfa_, .rbp = rbp_                                   \
	}

#define ROW_RBX(rule_, cfa_, rbp_, rbx_)                                                           \
	{                                                                                          \
		.rule = UNWIND_##rule_, .cfa = cfa_, .rbp = rbp_, .rbx = rbx_                      \
	}

const struct eh_hard eh_hard_places[] = {
	{ hard_plain, ROW(RSP, 1, 0), "entry" },
	{ hard_saved_rbp, ROW(RSP, 2, -2), "rbp saved" },
	{ hard_from_rbp, ROW(RBP, 2, -2), "from rbp" },
	{ hard_epilogue, ROW(RSP, 1, 0), "epilogue" },
	{ hard_restored, ROW(RBP, 2, -2), "state restored" },
	{ hard_greatest, ROW(RSP, 32767, 0), "greatest frame" },
	{ hard_far, ROW(RSP_FAR, INT16_MIN, 0), "a big frame" },
	{ hard_farthest, ROW_RBX(RSP_FAR, -1, 0, 7), "frame of 4 MiB" },
	{ hard_saved_rbx, ROW_RBX(RSP, 8, 0, 6), "rbx saved" },
	{ hard_saved_rbx_first, ROW_RBX(RSP, 8, 0, 1), "rbx saved first" },
	{ hard_rbx_elsewhere, ROW_RBX(RSP, 8, 0, UNWIND_RBX_ELSEWHERE), "rbx saved far away" },
	{ hard_rbx_restored, ROW(RSP, 8, 0), "rbx restored" },
	{ hard_too_great, ROW(UNSUPPORTED, 0, 0), "frame too great" },
	{ hard_odd, ROW(UNSUPPORTED, 0, 0), "frame of an odd size" },
	{ hard_far_rbp, ROW(RSP, 4, -128), "rbp saved far away" },
	{ hard_too_far_rbp, ROW(UNSUPPORTED, 0, 0), "rbp saved too far away" },
	{ hard_too_far_rbp + 1, ROW(NONE, 0, 0), "a gap of 32 bytes" },
	{ hard_others, ROW(END, 0, 0), "no caller" },
	{ hard_rdi, ROW(RDI, 0, 0), "return address in rdi" },
	{ hard_r8, ROW(UNSUPPORTED, 0, 0), "return address in r8" },
	{ hard_rbx, ROW(REGISTER + 3, 3, 0), "from rbx" },
	{ hard_r11, ROW(REGISTER + 11, 1, 0), "from r11" },
	{ hard_xmm0, ROW(UNSUPPORTED, 0, 0), "from a register that is none for addresses" },
	{ hard_realigned, ROW(DEREF, -1, 0), "realigned" },
	{ hard_val_expression, ROW(UNSUPPORTED, 0, 0), "value of an expression" },
	{ hard_pushed_rsp, ROW(RSP_DEREF, 19, 0), "pushed rsp" },
	{ hard_pushed_rsp_and_rbp, ROW(RSP_DEREF, 19, -3), "pushed rsp and rbp" },
	{ hard_pushed_elsewhere, ROW(UNSUPPORTED, 0, 0), "pushed rsp, more than 8 above" },
	{ hard_plt, ROW(PLT, 10, 0), "PLT" },
	{ hard_no_plt, ROW(UNSUPPORTED, 0, 0), "like a PLT" },
	{ hard_signal, ROW(SIGNAL, 0, 0), "signal frame" },
	{ hard_no_signal, ROW(UNSUPPORTED, 0, 0), "like a signal frame" },
	{ hard_gap, ROW(NONE, 0, 0), "gap" },
	{ hard_small_gap, ROW(NONE, 0, 0), "further in the gap" },
	{ hard_after_gap, ROW(RSP, 1, 0), "after the gap" },
	{ hard_after_gap + 1, ROW(RSP, 1, 0), "padding takes the row before" },
	{ hard_after_padding, ROW(RSP, 1, 0), "after padding" },
	{ hard_end, ROW(END, 0, 0), "no caller, at the end" },
	{ hard_end + 1, ROW(NONE, 0, 0), "after the end" },
	{ NULL },
};

static int first(struct dl_phdr_info *info, size_t size, void *bias)
{
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the first is the program */
}

uint64_t eh_hard_bias(void)
{
	uint64_t bias = 0;

	dl_iterate_phdr(first, &bias);
	return bias;
}
