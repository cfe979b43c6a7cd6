/* SPDX-License-Identifier: BSD-2-Clause */
/* The readers of CPU facts: parsers on fixture text, readers on a directory made like /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu_host.h"

#define TICK 10000000ULL /* USER_HZ is 100 everywhere */

static const char stat_text[] =
	"cpu  753258 885705 392267 2594654 4000 7 2284 944 3 2\n"
	"cpu0 402047 412483 176271 1322335 1468 0 718 472 0 0\n"
	"cpu1 351211 473221 215996 1272318 2531 0 1565 472 0 0\n"
	"intr 34470952 0 16 0 4651\n"
	"ctxt 210267974\n"
	"btime 1795232589\n"
	"processes 6259900\n"
	"procs_running 5\n"
	"procs_blocked 1\n"
	"softirq 12076603 0 1334861 4 1570384 699762 0 6 1799888 0 6671698\n";

static void stat_of_all_cpus(void **state)
{
	struct cpu_stat s;

	assert_int_equal(cpu_stat_parse(stat_text, &s), 0);
	assert_int_equal(s.user_ns, 753258 * TICK);
	assert_int_equal(s.nice_ns, 885705 * TICK);
	assert_int_equal(s.system_ns, 392267 * TICK);
	assert_int_equal(s.idle_ns, 2594654 * TICK);
	assert_int_equal(s.iowait_ns, 4000 * TICK);
	assert_int_equal(s.irq_ns, 7 * TICK);
	assert_int_equal(s.softirq_ns, 2284 * TICK);
	assert_int_equal(s.steal_ns, 944 * TICK);
	assert_int_equal(s.interrupts, 34470952);
	assert_int_equal(s.softirqs, 12076603);
	assert_int_equal(s.switches, 210267974);
	assert_int_equal(s.forks, 6259900);
	assert_int_equal(s.running, 5);
	assert_int_equal(s.blocked, 1);
}

static void stat_that_is_none(void **state)
{
	struct cpu_stat s;

	assert_true(cpu_stat_parse("", &s) < 0);
	assert_true(cpu_stat_parse("cpu0 1 2 3 4 5 6 7 8\n", &s) < 0);
	assert_true(cpu_stat_parse("cpu  1 2 3\nintr 1\n", &s) < 0);
	assert_true(cpu_stat_parse("cpu  1 2 3 4 5 6 7 8\nintr 1\nctxt 2\n", &s) < 0);
}

static void pressure(void **state)
{
	struct psi_total p;

	assert_int_equal(psi_total_parse("some avg10=5.02 avg60=9.24 avg300=3.25 total=4619903424\n"
					 "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n",
					 &p),
			 0);
	assert_true(p.present && p.has_full);
	assert_int_equal(p.some_ns, 4619903424000);
	assert_int_equal(p.full_ns, 17000);
	/* cpu before 5.13 */
	assert_int_equal(psi_total_parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n", &p),
			 0);
	assert_true(p.present && !p.has_full);
	assert_int_equal(p.some_ns, 9000);
	/* a total of another line is not ours */
	assert_true(psi_total_parse("some avg10=0.00\nfull avg10=0.00 total=17\n", &p) < 0);
	assert_true(!p.present && p.has_full);
	assert_true(psi_total_parse("", &p) < 0);
}

static void load(void **state)
{
	struct cpu_load l;

	assert_int_equal(cpu_load_parse("0.71 0.35 12.80 4/106 1946\n", &l), 0);
	assert_true(l.minutes_1 > 0.709 && l.minutes_1 < 0.711);
	assert_true(l.minutes_5 > 0.349 && l.minutes_5 < 0.351);
	assert_true(l.minutes_15 > 12.79 && l.minutes_15 < 12.81);
	assert_true(cpu_load_parse("0.71", &l) < 0);
}

static void differences(void **state)
{
	struct cpu_host a = { .at_ns = 5, .has_stat = true }, b = a, d;

	b.at_ns = 12;
	a.stat = (struct cpu_stat){ .user_ns = 10, .iowait_ns = 9, .steal_ns = 1, .running = 7 };
	b.stat = (struct cpu_stat){ .user_ns = 30, .iowait_ns = 8, .steal_ns = 4, .running = 2 };
	a.psi[PSI_IO] = (struct psi_total){ .present = true, .some_ns = 100 };
	b.psi[PSI_IO] = (struct psi_total){
		.present = true, .has_full = true, .some_ns = 150, .full_ns = 40
	};
	cpu_host_delta(&a, &b, &d);
	assert_int_equal(d.at_ns, 7);
	assert_int_equal(d.stat.user_ns, 20);
	assert_int_equal(d.stat.iowait_ns, 0); /* the kernel lets it fall */
	assert_int_equal(d.stat.steal_ns, 3);
	assert_int_equal(d.stat.running, 2); /* of a moment, no difference */
	assert_true(d.psi[PSI_IO].present && !d.psi[PSI_IO].has_full && !d.psi[PSI_CPU].present);
	assert_int_equal(d.psi[PSI_IO].some_ns, 50);
	assert_int_equal(d.psi[PSI_IO].full_ns, 0);
	a.has_stat = false;
	cpu_host_delta(&a, &b, &d);
	assert_true(!d.has_stat);
}

/* ---- a directory like /sys/devices/system/cpu ---- */

static char top[64];

static void put(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", top, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void put_cpu(int cpu, const char *idle_us, const char *entries)
{
	char path[128];

	snprintf(path, sizeof(path), "cpu%d/cpuidle/state0/name", cpu);
	put(path, "POLL\n");
	snprintf(path, sizeof(path), "cpu%d/cpuidle/state0/time", cpu);
	put(path, "0\n");
	snprintf(path, sizeof(path), "cpu%d/cpuidle/state0/usage", cpu);
	put(path, "3\n");
	snprintf(path, sizeof(path), "cpu%d/cpuidle/state1/name", cpu);
	put(path, "haltpoll idle\n");
	snprintf(path, sizeof(path), "cpu%d/cpuidle/state1/time", cpu);
	put(path, idle_us);
	snprintf(path, sizeof(path), "cpu%d/cpuidle/state1/usage", cpu);
	put(path, entries);
}

static int make_top(void **state)
{
	snprintf(top, sizeof(top), "/tmp/dwell-cpu-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int drop_top(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static void power_states(void **state)
{
	struct cpu_powers a, b;
	struct cpu_power d;

	put_cpu(0, "1000\n", "5\n");
	put_cpu(10, "2000\n", "6\n");
	put("cpu0/cpufreq/scaling_cur_freq", "2100000\n");
	put("cpu0/cpufreq/stats/time_in_state", "3000000 10\n1000000 30\n");
	put("cpufreq/none", "");
	put("cpuidle/current_driver", "haltpoll\n");
	cpu_powers_read(&a, top);
	put_cpu(0, "1750\n", "9\n");
	put_cpu(2, "7\n", "1\n");
	put("cpu0/cpufreq/scaling_cur_freq", "900000\n");
	put("cpu0/cpufreq/stats/time_in_state", "3000000 20\n1000000 60\n");
	cpu_powers_read(&b, top);
	assert_int_equal(a.n, 2);
	assert_int_equal(b.n, 3); /* by number */
	assert_int_equal(b.rows[1].cpu, 2);
	assert_int_equal(b.rows[2].cpu, 10);

	cpu_power_delta(&a, &b.rows[0], &d);
	assert_int_equal(d.nidle, 2);
	assert_string_equal(d.idle[1].name, "haltpoll idle");
	assert_int_equal(d.idle[0].ns, 0);
	assert_int_equal(d.idle[1].ns, 750000);
	assert_int_equal(d.idle[1].entries, 4);
	assert_int_equal(d.freq_khz, 900000);
	assert_int_equal(cpu_freq_mean(&d), 1500000);

	cpu_power_delta(&a, &b.rows[1], &d); /* came meanwhile */
	assert_int_equal(d.nidle, 0);
	assert_int_equal(cpu_freq_mean(&d), 0);
	cpu_powers_free(&a);
	cpu_powers_free(&b);
}

static void power_of_nothing(void **state)
{
	struct cpu_powers p;

	cpu_powers_read(&p, "/nonexistent");
	assert_int_equal(p.n, 0);
	cpu_powers_free(&p);
	put("cpu0/online", "1\n");
	cpu_powers_read(&p, top);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.rows[0].nidle, 0);
	assert_int_equal(p.rows[0].freq_khz, 0);
	cpu_powers_free(&p);
}

static void this_machine(void **state)
{
	struct cpu_host h;
	struct cpu_powers p;

	cpu_host_read(&h, "/proc");
	assert_true(h.has_stat && h.has_load && h.at_ns);
	assert_true(h.stat.switches && h.stat.forks && h.stat.user_ns + h.stat.system_ns);
	cpu_powers_read(&p, "/sys/devices/system/cpu");
	assert_true((long)p.n >= sysconf(_SC_NPROCESSORS_ONLN));
	cpu_powers_free(&p);
	cpu_host_read(&h, "/nonexistent");
	assert_true(!h.has_stat && !h.has_load && !h.psi[PSI_CPU].present);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_of_all_cpus),
		cmocka_unit_test(stat_that_is_none),
		cmocka_unit_test(pressure),
		cmocka_unit_test(load),
		cmocka_unit_test(differences),
		cmocka_unit_test_setup_teardown(power_states, make_top, drop_top),
		cmocka_unit_test_setup_teardown(power_of_nothing, make_top, drop_top),
		cmocka_unit_test(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
