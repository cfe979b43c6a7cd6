#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Writes the tables of system call, io_uring and errno names that names.c includes, from
# the headers of the machine that builds:
#	gen-names.sh CC [CFLAG...] >names.gen.h
# A header that is not there (i386 and x32 exist on x86 only) leaves its table empty; the
# native table must not be.
set -eu
export LC_ALL=C

[ $# -ge 1 ] || { echo "usage: $0 CC [CFLAG...]" >&2; exit 2; }

# Macros that #include <$1> defines, as "NAME VALUE".
macros()
{
	header=$1
	shift
	printf '#include <%s>\n' "$header" | "$@" -E -dM -x c - 2>/dev/null |
		awk '$1 == "#define" { name = $2; $1 = $2 = ""; sub(/^ +/, ""); print name, $0 }'
}

# Rows [number] = "name" of the __NR_ macros on stdin: plain numbers, or bit + number.
syscall_rows()
{
	awk '
	$1 !~ /^__NR_/ || $1 ~ /^__NR_(syscalls|SYSCALL_BASE)$/ { next }
	{
		name = substr($1, 6)
		sub(/^[^ ]+ /, "")
		gsub(/__X32_SYSCALL_BIT|[()+ ]/, "")
		if ($0 ~ /^[0-9]+$/)
			printf "\t[%d] = \"%s\",\n", $0, name
	}' | sort -t '[' -k 2n
}

table()
{
	printf 'static const char *const %s[] = {\n%s\n};\n\n' "$1" "$2"
}

# Generic headers give some numbers by way of __NR3264_ names; these resolve here.
native_macros()
{
	macros asm/unistd.h "$@" | awk '
	{ value[$1] = $2; line[$1] = $0 }
	END {
		for (name in line)
			if (value[name] in value)
				print name, value[value[name]]
			else
				print line[name]
	}'
}

uring_rows()
{
	printf '#include <linux/io_uring.h>\n' | "$@" -E -x c - 2>/dev/null |
		grep -o 'IORING_OP_[A-Z0-9_]*' | awk '
		$0 != "IORING_OP_LAST" && !seen[$0]++ {
			printf "\t[%s] = \"%s\",\n", $0, tolower(substr($0, 11))
		}'
}

# Aliases (EWOULDBLOCK is EAGAIN) have a name for a value, not a number.
errno_rows()
{
	macros errno.h "$@" | awk '$1 ~ /^E[A-Z0-9]+$/ && $2 ~ /^[0-9]+$/ {
		printf "\t[%d] = \"%s\",\n", $2, $1
	}' | sort -t '[' -k 2n
}

# Calls that are newer than the headers may be: from 424 on a number is the same everywhere.
newer_rows()
{
	echo "451 cachestat 452 fchmodat2 453 map_shadow_stack 454 futex_wake 455 futex_wait
	456 futex_requeue 457 statmount 458 listmount 459 lsm_get_self_attr
	460 lsm_set_self_attr 461 lsm_list_modules 462 mseal 463 setxattrat 464 getxattrat
	465 listxattrat 466 removexattrat 467 open_tree_attr 468 file_getattr
	469 file_setattr" | tr -s ' \t\n' '\n' | paste - - |
		awk '{ printf "\t[%d] = \"%s\",\n", $1, $2 }'
}

# Rows of stdin, and of the newer calls those that it lacks.
with_newer()
{
	{ cat; newer_rows; } | sort -t '[' -k 2n -s -u
}

native=$(native_macros "$@" | syscall_rows | with_newer)
[ -n "$native" ] || { echo "$0: no system call in asm/unistd.h" >&2; exit 1; }
i386=
x32=
if printf '#ifndef __x86_64__\n#error\n#endif\n' | "$@" -E -x c - >/dev/null 2>&1; then
	i386=$(macros asm/unistd_32.h "$@" | syscall_rows | with_newer)
	x32=$(macros asm/unistd_x32.h "$@" | syscall_rows)
fi

echo '/* Made by gen-names.sh from the headers of the build machine. */'
echo '#include <linux/io_uring.h>'
echo
table native_names "$native"
table i386_names "${i386:-	NULL}"
table x32_names "${x32:-	NULL}"
table uring_names "$(uring_rows "$@")"
table errno_names "$(errno_rows "$@")"
