/* SPDX-License-Identifier: BSD-2-Clause */
/* Names by number, from the tables that gen-names.sh makes at build time. See names.h. */
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "names.gen.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

struct name_table {
	const char *const *names;
	size_t size;
};

static const struct name_table abi_tables[] = {
	[ABI_NATIVE] = { native_names, ARRAY_SIZE(native_names) },
	[ABI_I386] = { i386_names, ARRAY_SIZE(i386_names) },
	[ABI_X32] = { x32_names, ARRAY_SIZE(x32_names) },
};

/* Errors of include/linux/errno.h, which no UAPI header has: a tracer sees them, errno never. */
static const struct {
	int err;
	const char *name;
} kernel_errno_names[] = {
	{ 512, "ERESTARTSYS" },
	{ 513, "ERESTARTNOINTR" },
	{ 514, "ERESTARTNOHAND" },
	{ 515, "ENOIOCTLCMD" },
	{ 516, "ERESTART_RESTARTBLOCK" },
	{ 517, "EPROBE_DEFER" },
	{ 518, "EOPENSTALE" },
	{ 519, "ENOPARAM" },
	{ 521, "EBADHANDLE" },
	{ 522, "ENOTSYNC" },
	{ 523, "EBADCOOKIE" },
	{ 524, "ENOTSUPP" },
	{ 525, "ETOOSMALL" },
	{ 526, "ESERVERFAULT" },
	{ 527, "EBADTYPE" },
	{ 528, "EJUKEBOX" },
	{ 529, "EIOCBQUEUED" },
	{ 530, "ERECALLCONFLICT" },
	{ 531, "ENOGRACE" },
};

static const char *table_name(const struct name_table *table, uint32_t nr)
{
	return nr < table->size ? table->names[nr] : NULL;
}

const char *syscall_abi_name(enum syscall_abi abi, uint32_t nr)
{
	return abi < ARRAY_SIZE(abi_tables) ? table_name(&abi_tables[abi], nr) : NULL;
}

int syscall_abi_max(enum syscall_abi abi)
{
	return abi < ARRAY_SIZE(abi_tables) ? (int)abi_tables[abi].size - 1 : -1;
}

const char *syscall_name(int nr)
{
	return nr < 0 ? NULL : syscall_abi_name(ABI_NATIVE, nr);
}

int syscall_max(void)
{
	return syscall_abi_max(ABI_NATIVE);
}

int syscall_number(const char *name)
{
	for (int nr = 0; nr <= syscall_max(); nr++) {
		if (native_names[nr] && !strcmp(native_names[nr], name))
			return nr;
	}
	return -1;
}

const char *syscall_label(enum syscall_abi abi, uint32_t nr, char buf[static CALL_LABEL_LEN])
{
	const char *name = syscall_abi_name(abi, nr);
	const char *prefix = abi == ABI_I386 ? "i386:" : "";

	if (name)
		return name;
	if (abi == ABI_X32)
		prefix = "x32:";
	snprintf(buf, CALL_LABEL_LEN, "%ssyscall_%u", prefix, nr);
	return buf;
}

const char *uring_label(uint32_t op, char buf[static CALL_LABEL_LEN])
{
	if (op < ARRAY_SIZE(uring_names) && uring_names[op])
		return uring_names[op];
	snprintf(buf, CALL_LABEL_LEN, "op_%u", op);
	return buf;
}

const char *errno_label(int err, char buf[static CALL_LABEL_LEN])
{
	if (!err)
		return "other";
	if (err > 0 && (size_t)err < ARRAY_SIZE(errno_names) && errno_names[err])
		return errno_names[err];
	for (size_t i = 0; i < ARRAY_SIZE(kernel_errno_names); i++) {
		if (kernel_errno_names[i].err == err)
			return kernel_errno_names[i].name;
	}
	snprintf(buf, CALL_LABEL_LEN, "errno_%d", err);
	return buf;
}
