#include "unit/control/kit.h"

#include <ftw.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "control/cores.h"

static void a_quota_is_rounded_up_to_whole_cores(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned cores; /* 0: there is no quota */
	} rows[] = {
		{ "max 100000\n", 0 },	  { "100000 100000\n", 1 },
		{ "150000 100000\n", 2 }, { "200000 100000\n", 2 },
		{ "1000 100000\n", 1 },	  { "200001 100000", 3 },
		{ "99999999 1", 128 },	  { "", 0 },
		{ "0 100000", 0 },	  { "100000", 0 },
		{ "100000 0\n", 0 },	  { "-1 100000\n", 0 },
		{ "many 100000\n", 0 },	  { " ", 0 },
		{ "50000 50000\n", 1 },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		struct quota q;
		bool is = quota_of_max(span_of(rows[i].text), &q);
		assert_int_equal(is ? quota_cores(&q) : 0, rows[i].cores);
	}
	struct quota q;
	assert_false(quota_of_cfs(SPAN("-1\n"), SPAN("100000\n"), &q));
	assert_true(quota_of_cfs(SPAN("250000\n"), SPAN("100000\n"), &q));
	assert_int_equal(quota_cores(&q), 3);
}

/* --- a machine of files --- */

struct machine {
	char root[64];
};

static void put(struct machine *m, const char *path, const char *text)
{
	char at[512];
	snprintf(at, sizeof at, "%s%s", m->root, path);
	for (char *slash = at + strlen(m->root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(at, 0755);
		*slash = '/';
	}
	FILE *f = fopen(at, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int take_away(const char *path, const struct stat *s, int flag, struct FTW *f)
{
	(void)s, (void)flag, (void)f;
	return remove(path);
}

static void machine_close(struct machine *m)
{
	nftw(m->root, take_away, 8, FTW_DEPTH | FTW_PHYS);
}

#define MOUNT_2 "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_1                                                                                    \
	"30 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"                               \
	"33 31 0:30 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"               \
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:8 master:1 - cgroup cgroup "            \
	"rw,cpu,cpuacct\n"

struct row {
	const char *mounts, *groups;
	const char *files[3][2];
	unsigned cores; /* of 8 */
	const char *from;
};

static void check_row(const struct row *r)
{
	struct machine m;
	struct cores c;
	kit_directory(m.root);
	if (r->mounts)
		put(&m, "/proc/self/mountinfo", r->mounts);
	if (r->groups)
		put(&m, "/proc/self/cgroup", r->groups);
	for (int i = 0; i < 3 && r->files[i][0]; i++)
		put(&m, r->files[i][0], r->files[i][1]);
	cores_count(m.root, 8, &c);
	machine_close(&m);
	assert_int_equal(c.n, r->cores);
	if (!strstr(c.from, r->from))
		fail_msg("%s: not of %s", c.from, r->from);
}

#define V2 "/sys/fs/cgroup"
#define V1 "/sys/fs/cgroup/cpu,cpuacct"
#define ALL "that many cores"

static void workers_are_as_many_as_the_quota_of_the_group_or_of_one_above_pays_for(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ NULL, NULL, { { NULL, NULL } }, 8, ALL },
		{ MOUNT_2, "0::/\n", { { NULL, NULL } }, 8, ALL },
		{ MOUNT_2, "0::/\n", { { V2 "/cpu.max", "250000 100000\n" } }, 3, V2 " is 250000" },
		{ MOUNT_2,
		  "0::/a/b\n",
		  { { V2 "/a/b/cpu.max", "100000 100000\n" } },
		  1,
		  V2 "/a/b" },
		{ MOUNT_2,
		  "0::/a/b\n",
		  { { V2 "/a/b/cpu.max", "max 100000\n" }, { V2 "/a/cpu.max", "150000 100000\n" } },
		  2,
		  V2 "/a is" },
		{ MOUNT_2,
		  "0::/a/b\n",
		  { { V2 "/a/b/cpu.max", "400000 100000\n" },
		    { V2 "/a/cpu.max", "150000 50000\n" } },
		  3,
		  V2 "/a is" },
		/* More than there is. */
		{ MOUNT_2, "0::/a\n", { { V2 "/a/cpu.max", "1600000 100000\n" } }, 8, ALL },
		/* The group of a container without a namespace of its own, and one beside ours. */
		{ "31 23 0:28 /docker/x /sys/fs/cgroup ro - cgroup2 c rw\n",
		  "0::/docker/x/y\n",
		  { { V2 "/y/cpu.max", "100000 100000\n" } },
		  1,
		  V2 "/y" },
		{ "31 23 0:28 /docker/x /sys/fs/cgroup ro - cgroup2 c rw\n",
		  "0::/docker/xyz\n",
		  { { V2 "/cpu.max", "200000 100000\n" } },
		  2,
		  V2 " is" },
		{ MOUNT_2,
		  "0::/../other\n",
		  { { V2 "/cpu.max", "200000 100000\n" } },
		  2,
		  V2 " is" },
		{ MOUNT_1,
		  "4:memory:/m\n2:cpu,cpuacct:/a/b\n1:cpuset:/\n0::/\n",
		  { { V1 "/a/b/cpu.cfs_quota_us", "-1\n" },
		    { V1 "/a/cpu.cfs_quota_us", "150000\n" },
		    { V1 "/a/cpu.cfs_period_us", "100000\n" } },
		  2,
		  V1 "/a is 150000" },
		{ MOUNT_1,
		  "3:cpuset:/q\n1:cpuacct:/q\n",
		  { { V1 "/q/cpu.cfs_quota_us", "100000\n" },
		    { V1 "/q/cpu.cfs_period_us", "100000\n" } },
		  8,
		  ALL },
		{ "\n \n- -\n", "::\n0\n:\n", { { NULL, NULL } }, 8, ALL },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		check_row(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quota_is_rounded_up_to_whole_cores),
		cmocka_unit_test(
			workers_are_as_many_as_the_quota_of_the_group_or_of_one_above_pays_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
