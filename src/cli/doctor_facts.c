/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts about the machine that decide what can be measured. Nothing is concluded from the
 * kernel's version; what a fact means for a probe is seen by trying the probe.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"
#include "format.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
/* include/linux/proc_ns.h: inode numbers of the first namespaces */
#define INITIAL_USER_NS 0xEFFFFFFDUL
#define INITIAL_PID_NS 0xEFFFFFFCUL

static struct fact *add(struct doctor *d, const char *name, enum fact_level level, const char *fmt,
			...) __attribute__((format(printf, 4, 5)));

static struct fact *add(struct doctor *d, const char *name, enum fact_level level, const char *fmt,
			...)
{
	struct fact *fact = &d->facts[d->nfacts < MAX_FACTS ? d->nfacts++ : MAX_FACTS - 1];
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	*fact = (struct fact){
		.name = name,
		.level = level,
		.value = report_printf(d->memory, "%s", value),
	};
	return fact;
}

/* First line of a small file, without its newline; false and "" when there is none. */
static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, (int)size, f);

	if (!ok)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
	return ok;
}

/* Value of "NAME:\t…" in /proc/self/status. */
static bool read_status(const char *name, char *buf, size_t size)
{
	FILE *f = fopen("/proc/self/status", "re");
	size_t len = strlen(name);
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, size, "%s", line + len + 1 + strspn(line + len + 1, "\t "));
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static void add_kernel(struct doctor *d)
{
	char size[FORMAT_LEN];
	struct utsname u;
	struct stat st;

	if (!uname(&u))
		add(d, "kernel", FACT_INFO, "%s %s %s", u.sysname, u.release, u.machine);
	add(d, "cpus", FACT_INFO, "%ld online", sysconf(_SC_NPROCESSORS_ONLN));
	if (!stat(BTF_PATH, &st) && !access(BTF_PATH, R_OK))
		add(d, "btf", FACT_OK, "%s, %s", BTF_PATH,
		    format_bytes(size, (uint64_t)st.st_size));
	else
		add(d, "btf", FACT_FAIL, "cannot read %s: %s", BTF_PATH, strerror(errno))->advice =
			"the kernel must be built with CONFIG_DEBUG_INFO_BTF=y, "
			"and /sys be mounted";
}

static const struct {
	const char *name;
	unsigned bit;
	const char *for_what;
} capabilities[] = {
	{ "cap_bpf", CAP_BPF, "BPF programs and maps" },
	{ "cap_perfmon", CAP_PERFMON, "tracing of the kernel" },
	{ "cap_sys_admin", CAP_SYS_ADMIN, "stands for both on any kernel" },
	{ "cap_sys_ptrace", CAP_SYS_PTRACE, "/proc of other users' processes" },
	{ "cap_setuid", CAP_SETUID, "run -u" },
	{ "cap_sys_resource", CAP_SYS_RESOURCE, "raising limits" },
};

static void add_rights(struct doctor *d)
{
	static const char advice[] = "run dwell as root, or give its binary the rights "
				     "once: setcap cap_bpf,cap_perfmon+ep";
	char text[64];
	uint64_t have = 0;
	bool admin;

	if (read_status("CapEff", text, sizeof(text)))
		have = strtoull(text, NULL, 16);
	admin = have >> CAP_SYS_ADMIN & 1;
	d->has_rights = admin || ((have >> CAP_BPF & 1) && (have >> CAP_PERFMON & 1));
	add(d, "user", FACT_INFO, "uid %u, effective %u", getuid(), geteuid());
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
		bool yes = have >> capabilities[i].bit & 1;
		bool needed = capabilities[i].bit == CAP_BPF || capabilities[i].bit == CAP_PERFMON;
		struct fact *f = add(d, capabilities[i].name,
				     yes                ? FACT_OK
				     : needed && !admin ? FACT_FAIL
							: FACT_INFO,
				     "%s (%s)", yes ? "yes" : "no", capabilities[i].for_what);

		if (!yes && needed && !admin)
			f->advice = advice;
	}
	if (read_status("NoNewPrivs", text, sizeof(text)) && strcmp(text, "0") != 0)
		add(d, "no_new_privs", FACT_WARN, "set: no program can gain rights here")->advice =
			"setcap and sudo have no effect; "
			"start from outside this container or service";
	if (read_status("Seccomp", text, sizeof(text)) && strcmp(text, "0") != 0)
		add(d, "seccomp", FACT_WARN, "system calls are filtered")->advice =
			"if bpf() is refused below, allow it in the container's seccomp profile";
}

static const struct {
	const char *name, *path, *meaning;
} sysctls[] = {
	{ "unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled",
	  "0: BPF without rights, though not for tracing; 1, 2: never" },
	{ "perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid",
	  "matters without CAP_PERFMON only" },
	{ "kptr_restrict", "/proc/sys/kernel/kptr_restrict",
	  "whether kernel addresses can be named" },
	{ "bpf_stats_enabled", "/proc/sys/kernel/bpf_stats_enabled",
	  "1: the summary also tells the time spent in dwell's own BPF programs" },
};

static void add_settings(struct doctor *d)
{
	char text[128], hard[FORMAT_LEN], soft[FORMAT_LEN];
	struct rlimit limit;

	for (size_t i = 0; i < sizeof(sysctls) / sizeof(*sysctls); i++)
		if (read_line(sysctls[i].path, text, sizeof(text)))
			add(d, sysctls[i].name, FACT_INFO, "%s (%s)", text, sysctls[i].meaning);
		else
			add(d, sysctls[i].name, FACT_INFO, "not there or not readable");
	if (!getrlimit(RLIMIT_MEMLOCK, &limit))
		add(d, "rlimit_memlock", FACT_INFO, "soft %s, hard %s",
		    limit.rlim_cur == RLIM_INFINITY ? "unlimited"
						    : format_bytes(soft, limit.rlim_cur),
		    limit.rlim_max == RLIM_INFINITY ? "unlimited"
						    : format_bytes(hard, limit.rlim_max));
	if (read_line("/sys/kernel/security/lockdown", text, sizeof(text))) {
		bool reads_refused = strstr(text, "[confidentiality]");

		add(d, "lockdown", reads_refused ? FACT_FAIL : FACT_OK, "%s", text)->advice =
			reads_refused ? "lockdown forbids BPF to read the kernel; boot with "
					"lockdown=integrity or none"
				      : NULL;
	}
}

/* Where a file system of this type is mounted first; false: nowhere. */
static bool find_mount(const char *type, char *dir, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	bool found = false;

	while (f && !found && (m = getmntent(f))) {
		found = !strcmp(m->mnt_type, type);
		if (found)
			snprintf(dir, size, "%s", m->mnt_dir);
	}
	if (f)
		endmntent(f);
	return found;
}

static void add_mounts(struct doctor *d)
{
	char dir[256];

	if (find_mount("tracefs", dir, sizeof(dir)))
		add(d, "tracefs", FACT_OK, "%s", dir);
	else
		add(d, "tracefs", FACT_INFO, "not mounted; only classic tracepoints would need it");
	if (find_mount("cgroup2", dir, sizeof(dir)))
		add(d, "cgroup2", FACT_OK, "%s", dir);
	else
		add(d, "cgroup2", FACT_WARN, "not mounted")->advice =
			"attach --cgroup needs it: mount -t cgroup2 none DIR";
}

/* What says that we are in a container: a file or a variable that its manager leaves. */
static const char *container(void)
{
	if (!access("/.dockerenv", F_OK))
		return "yes: /.dockerenv is there";
	if (!access("/run/.containerenv", F_OK))
		return "yes: /run/.containerenv is there";
	if (!access("/run/systemd/container", F_OK))
		return "yes: /run/systemd/container is there";
	if (getenv("container"))
		return "yes: the variable `container` is set";
	return "no sign of one";
}

static void add_namespaces(struct doctor *d)
{
	struct stat st;

	add(d, "container", FACT_INFO, "%s", container());
	if (!stat("/proc/self/ns/pid", &st))
		add(d, "pid_namespace", FACT_INFO, "%s",
		    st.st_ino == INITIAL_PID_NS
			    ? "the machine's own"
			    : "not the machine's own: PIDs are shown as seen from here");
	if (stat("/proc/self/ns/user", &st))
		return;
	if (st.st_ino == INITIAL_USER_NS)
		add(d, "user_namespace", FACT_OK, "the machine's own");
	else
		add(d, "user_namespace", FACT_WARN, "not the machine's own")->advice =
			"rights in it do not count for BPF: run dwell outside of it";
}

void doctor_facts(struct doctor *d)
{
	add_kernel(d);
	add_rights(d);
	add_settings(d);
	add_mounts(d);
	add_namespaces(d);
}
