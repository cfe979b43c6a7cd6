/* SPDX-License-Identifier: BSD-2-Clause */
/* The records that stand once at the head of a stream. */
#include "env_shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "program_path.h"
#include "read.h"
#include "shape.h"

#define CMDLINE_BYTES (128 * 1024)

/* --- env --- */

static json_t *distances_json(const void *at)
{
	const struct host_numa *numa = at;
	json_t *rows = json_array();

	for (uint32_t i = 0; i < numa->nodes; i++) {
		json_t *row = json_array();

		for (uint32_t k = 0; k < numa->nodes; k++)
			json_array_append_new(row, json_integer(numa->distances[i][k]));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *distances_schema(void)
{
	return json_pack("{s:s, s:{s:s, s:{s:s}}}", "type", "array", "items", "type", "array",
			 "items", "type", "integer");
}

static json_t *u64s_json(const uint64_t *v, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_integer((json_int_t)v[i]));
	return array;
}

static json_t *u64s_schema(void)
{
	return json_pack("{s:s, s:{s:s, s:i}}", "type", "array", "items", "type", "integer",
			 "minimum", 0);
}

static json_t *sizes_json(const void *at)
{
	const struct host_numa *numa = at;

	return u64s_json(numa->sizes_mb, numa->nodes);
}

static json_t *freqs_json(const void *at)
{
	const struct host *h = at;

	return h->freqs ? u64s_json(h->freq_khz, h->freqs) : NULL;
}

static json_t *governors_json(const void *at)
{
	const struct host *h = at;
	json_t *array;

	if (!h->governors)
		return NULL;
	array = json_array();
	for (size_t i = 0; i < h->governors; i++)
		json_array_append_new(array, json_string(h->governor[i]));
	return array;
}

static json_t *governors_schema(void)
{
	return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
}

static bool has_thp(const void *base)
{
	return *((const struct host *)base)->thp;
}

static bool has_smt(const void *base)
{
	return ((const struct host *)base)->has_smt;
}

static bool has_cgroup(const void *base)
{
	return *((const struct host *)base)->cgroup;
}

static const struct shape cpu_shape[] = {
	SHAPE_IS(U32, host_cpu, sockets, UNIT_COUNT, INFO, "CPU packages"),
	SHAPE_IS(U32, host_cpu, cores_per_socket, UNIT_COUNT, INFO, "cores of a package"),
	SHAPE_IS(U32, host_cpu, threads_per_core, UNIT_COUNT, INFO, "CPUs of a core"),
	SHAPE_IS(CHARS, host_cpu, model, UNIT_NONE, INFO, "model name of the first CPU"),
	{}
};

static const struct shape numa_shape[] = { SHAPE_IS(U32, host_numa, nodes, UNIT_COUNT, INFO,
						    "NUMA nodes"),
					   { .key = "distances",
					     .type = SHAPE_CUSTOM,
					     .make = distances_json,
					     .schema = distances_schema,
					     .help = "from each node (rows) to each" },
					   { .key = "node_sizes_mb",
					     .type = SHAPE_CUSTOM,
					     .make = sizes_json,
					     .schema = u64s_schema,
					     .help = "memory of each node, in MB" },
					   {} };

static const struct shape env_shape[] = {
	SHAPE_IS(U64, host, ts_ms, UNIT_MS, INFO, "when this was read, since 1970"),
	SHAPE_AS("host", CHARS, host, name, UNIT_NONE, INFO, "name of the machine"),
	SHAPE_IS(CHARS, host, kernel, UNIT_NONE, INFO, "release of its kernel"),
	SHAPE_SUB("lscpu", host, cpu, cpu_shape, "its CPUs"),
	SHAPE_SUB("numa", host, numa, numa_shape, "its NUMA nodes"),
	SHAPE_AS("affinity_inherited", CHARS, host, affinity, UNIT_NONE, INFO,
		 "CPUs that dwell may run on, and so the command: 0-3,8"),
	{ .key = "cpu_governor",
	  .type = SHAPE_CUSTOM,
	  .optional = true,
	  .make = governors_json,
	  .schema = governors_schema,
	  .help = "frequency governor of each CPU" },
	{ .key = "cpu_freq_khz",
	  .type = SHAPE_CUSTOM,
	  .optional = true,
	  .make = freqs_json,
	  .schema = u64s_schema,
	  .help = "present frequency of each CPU, in kHz" },
	{ .key = "thp_enabled",
	  .type = SHAPE_CHARS,
	  .optional = true,
	  .present = has_thp,
	  .offset = offsetof(struct host, thp),
	  .size = sizeof(((struct host *)0)->thp),
	  .help = "transparent huge pages: always, madvise, never, the present one in brackets" },
	{ .key = "smt_active",
	  .type = SHAPE_BOOL,
	  .optional = true,
	  .present = has_smt,
	  .offset = offsetof(struct host, smt),
	  .help = "whether cores run several threads" },
	{ .key = "cgroup",
	  .type = SHAPE_CHARS,
	  .optional = true,
	  .present = has_cgroup,
	  .offset = offsetof(struct host, cgroup),
	  .size = sizeof(((struct host *)0)->cgroup),
	  .help = "/proc/PID/cgroup" },
	{}
};

json_t *env_json(pid_t pid)
{
	struct host *h = malloc(sizeof(*h));
	json_t *json;

	if (!h)
		return NULL;
	host_read(h, pid);
	json = shape_record("env", shape_json(env_shape, h));
	free(h);
	return json;
}

json_t *env_schema(void)
{
	return shape_record_schema("env", shape_schema(env_shape));
}

/* --- metadata --- */

struct metadata {
	int pid;
	const char **cmd;
	size_t ncmd;
	char executable[4096];
	uint64_t t0_ms;
	bool psi_system, psi_process;
	const char *psi_reason;
};

static const struct shape psi_shape[] = {
	SHAPE_AS("system", BOOL, metadata, psi_system, UNIT_NONE, INFO,
		 "/proc/pressure/memory can be read"),
	SHAPE_AS("per_process", BOOL, metadata, psi_process, UNIT_NONE, INFO,
		 "the process has a cgroup whose pressure is told as psi_mem"),
	{ .key = "reason",
	  .type = SHAPE_STR,
	  .optional = true,
	  .offset = offsetof(struct metadata, psi_reason),
	  .help = "why not" },
	{}
};

static const struct shape capabilities_shape[] = { { .key = "psi",
						     .type = SHAPE_OBJECT,
						     .sub = psi_shape,
						     .help = "pressure stall information" },
						   {} };

static const struct shape metadata_shape[] = {
	SHAPE_IS(INT, metadata, pid, UNIT_NONE, INFO,
		 "process ID of the command; of several targets the first"),
	{ .key = "cmd",
	  .type = SHAPE_STRS,
	  .offset = offsetof(struct metadata, cmd),
	  .count_offset = offsetof(struct metadata, ncmd),
	  .help = "the command and its arguments" },
	SHAPE_IS(CHARS, metadata, executable, UNIT_NONE, INFO,
		 "path of its program; as given when the command has not been executed yet"),
	SHAPE_IS(U64, metadata, t0_ms, UNIT_MS, INFO, "start of the process, since 1970"),
	{ .key = "capabilities",
	  .type = SHAPE_OBJECT,
	  .sub = capabilities_shape,
	  .optional = true,
	  .help = "which optional fields the samples can have" },
	{}
};

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t started_ms(pid_t pid)
{
	uint64_t now = clock_ms(CLOCK_REALTIME);
	struct proc_stat st;

	if (!pid || proc_stat_read(pid, &st))
		return now;
	return now - clock_ms(CLOCK_BOOTTIME) +
	       st.start_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Arguments of a running process; text holds them. */
static size_t read_cmdline(pid_t pid, char *text, const char ***cmd)
{
	char path[64];
	ssize_t len;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	len = proc_read_file(path, text, CMDLINE_BYTES);
	if (len <= 0)
		return 0;
	*cmd = calloc((size_t)len, sizeof(**cmd));
	for (char *p = text; *cmd && p < text + len; p += strlen(p) + 1)
		(*cmd)[n++] = p;
	return n;
}

static size_t copy_argv(char *const argv[], const char ***cmd)
{
	size_t n = 0;

	while (argv[n])
		n++;
	*cmd = calloc(n + 1, sizeof(**cmd));
	for (size_t i = 0; *cmd && i < n; i++)
		(*cmd)[i] = argv[i];
	return *cmd ? n : 0;
}

static void read_executable(struct metadata *m, char *const argv[])
{
	char link[64];
	ssize_t len;

	if (argv) { /* the process may still be dwell's own image */
		if (!program_path(argv[0], m->executable, sizeof(m->executable)))
			snprintf(m->executable, sizeof(m->executable), "%s", argv[0]);
		return;
	}
	snprintf(link, sizeof(link), "/proc/%d/exe", m->pid);
	len = readlink(link, m->executable, sizeof(m->executable) - 1);
	m->executable[len < 0 ? 0 : len] = '\0';
}

json_t *metadata_json(pid_t pid, char *const argv[])
{
	struct metadata m = { .pid = pid, .t0_ms = started_ms(pid) };
	char path[4096], *text = calloc(1, CMDLINE_BYTES);
	json_t *json;

	if (!text)
		return NULL;
	if (argv)
		m.ncmd = copy_argv(argv, &m.cmd);
	else if (pid)
		m.ncmd = read_cmdline(pid, text, &m.cmd);
	read_executable(&m, argv);
	m.psi_system = !access("/proc/pressure/memory", R_OK);
	m.psi_process = pid && !proc_psi_path(pid, path, sizeof(path));
	if (!m.psi_process)
		m.psi_reason = m.psi_system ? "the process is in no cgroup (v2) of its own"
					    : "the kernel has no pressure stall information";
	json = shape_record("metadata", shape_json(metadata_shape, &m));
	free(m.cmd);
	free(text);
	return json;
}

json_t *metadata_schema(void)
{
	return shape_record_schema("metadata", shape_schema(metadata_shape));
}
