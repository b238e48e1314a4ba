#include "control/cores.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

#define PATH_BYTES 1024
/* Room for /proc/self/mountinfo: in a container it has a few dozen lines. */
#define FILE_BYTES (64 * 1024)

/* --- quotas --- */

static struct span span_trim_end(struct span s)
{
	while (s.n && strchr(" \n", s.at[s.n - 1]))
		s.n--;
	return s;
}

static bool is_number(struct span s, uint64_t *n)
{
	unsigned long long value;
	if (!span_to_u64(span_trim_end(s), UINT64_MAX / WORKERS_MAX, &value) || !value)
		return false;
	*n = value;
	return true;
}

bool quota_of_cfs(struct span quota, struct span period, struct quota *q)
{
	return is_number(quota, &q->us) && is_number(period, &q->period_us);
}

bool quota_of_max(struct span text, struct quota *q)
{
	const char *space = text.n ? memchr(text.at, ' ', text.n) : NULL;
	if (!space)
		return false;
	size_t n = (size_t)(space - text.at);
	return quota_of_cfs((struct span){ text.at, n }, (struct span){ space + 1, text.n - n - 1 },
			    q);
}

unsigned quota_cores(const struct quota *q)
{
	uint64_t n = q->us / q->period_us + (q->us % q->period_us != 0);
	return n < WORKERS_MAX ? (unsigned)n : WORKERS_MAX;
}

/* --- files --- */

static struct span cores_read_file(const char *path, char *room, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	for (ssize_t got; fd >= 0 && n < bytes && (got = read(fd, room + n, bytes - n)) > 0;)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	return (struct span){ room, n };
}

static struct span take_until(struct span *rest, char end)
{
	const char *at = rest->n ? memchr(rest->at, end, rest->n) : NULL;
	struct span part = { rest->at, at ? (size_t)(at - rest->at) : rest->n };
	size_t skip = part.n + (at != NULL);
	*rest = (struct span){ rest->at + skip, rest->n - skip };
	return part;
}

static bool list_has(struct span list, const char *what)
{
	while (list.n)
		if (span_is(take_until(&list, ','), span_of(what)))
			return true;
	return false;
}

/* --- where the control groups are --- */

struct hierarchy {
	bool second;	      /* version 2 */
	struct span root, at; /* which part of it is mounted, and where */
	struct span group;    /* the group of this process, from the hierarchy's own root */
};

/*
 * "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue", as in proc(5).
 */
static bool is_mount_of(struct span line, bool second, struct hierarchy *h)
{
	for (int i = 0; i < 3; i++)
		take_until(&line, ' ');
	h->second = second;
	h->root = take_until(&line, ' ');
	h->at = take_until(&line, ' ');
	while (line.n && !span_is(take_until(&line, ' '), SPAN("-")))
		;
	struct span type = take_until(&line, ' ');
	take_until(&line, ' ');
	return second ? span_is(type, SPAN("cgroup2"))
		      : span_is(type, SPAN("cgroup")) && list_has(line, "cpu");
}

static bool find_mount(struct span mounts, bool second, struct hierarchy *h)
{
	while (mounts.n)
		if (is_mount_of(take_until(&mounts, '\n'), second, h))
			return true;
	return false;
}

/* "0::/group", or "4:cpu,cpuacct:/group" */
static bool find_group(struct span groups, bool second, struct hierarchy *h)
{
	while (groups.n) {
		struct span line = take_until(&groups, '\n');
		struct span number = take_until(&line, ':'), controllers = take_until(&line, ':');
		h->group = line;
		if (second ? span_is(number, SPAN("0")) && !controllers.n
			   : list_has(controllers, "cpu"))
			return true;
	}
	return false;
}

/*
 * The part of the group's path below the mount's root. A group outside of it is treated as that
 * root.
 */
static struct span below_root(const struct hierarchy *h)
{
	struct span g = h->group, root = h->root;
	if (span_is(root, SPAN("/")))
		return span_is(g, SPAN("/")) || (g.n > 3 && !memcmp(g.at, "/..", 3))
			       ? (struct span){ g.at, 0 }
			       : g;
	if (g.n >= root.n && !memcmp(g.at, root.at, root.n) &&
	    (g.n == root.n || g.at[root.n] == '/'))
		return (struct span){ g.at + root.n, g.n - root.n };
	return (struct span){ g.at, 0 };
}

/* --- the smallest quota --- */

static bool read_quota(const char *directory, bool second, struct quota *q)
{
	char path[PATH_BYTES + 32], first[64], other[64];
	snprintf(path, sizeof path, "%s/%s", directory, second ? "cpu.max" : "cpu.cfs_quota_us");
	struct span text = cores_read_file(path, first, sizeof first);
	if (second)
		return quota_of_max(text, q);
	snprintf(path, sizeof path, "%s/cpu.cfs_period_us", directory);
	return quota_of_cfs(text, cores_read_file(path, other, sizeof other), q);
}

/* Goes from the process's own group up to the top. */
static void apply_quotas(const char *root, const struct hierarchy *h, struct cores *c)
{
	char directory[PATH_BYTES];
	struct span below = below_root(h);
	struct quota q;
	for (;;) {
		int n = snprintf(directory, sizeof directory, "%s%.*s%.*s", root, (int)h->at.n,
				 h->at.at, (int)below.n, below.at);
		if (n < 0 || (size_t)n >= sizeof directory)
			return;
		if (read_quota(directory, h->second, &q) && quota_cores(&q) < c->n) {
			c->n = quota_cores(&q);
			snprintf(c->from, sizeof c->from,
				 "the CPU quota of %.200s is %llu us in every %llu us",
				 directory + strlen(root), (unsigned long long)q.us,
				 (unsigned long long)q.period_us);
		}
		if (!below.n)
			return;
		const char *slash = memrchr(below.at, '/', below.n);
		below.n = slash ? (size_t)(slash - below.at) : 0;
	}
}

void cores_count(const char *root, unsigned machine, struct cores *c)
{
	char path[PATH_BYTES], mounts[FILE_BYTES], groups[FILE_BYTES / 4];
	c->n = machine < WORKERS_MAX ? machine : WORKERS_MAX;
	snprintf(c->from, sizeof c->from, "that many cores may be used");
	snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
	struct span mount_list = cores_read_file(path, mounts, sizeof mounts);
	snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
	struct span group_list = cores_read_file(path, groups, sizeof groups);
	for (int second = 0; second < 2; second++) {
		struct hierarchy h;
		if (find_mount(mount_list, second, &h) && find_group(group_list, second, &h))
			apply_quotas(root, &h, c);
	}
}

void cores_here(struct cores *c)
{
	cpu_set_t set;
	bool known = sched_getaffinity(0, sizeof set, &set) == 0;
	cores_count("", known ? (unsigned)CPU_COUNT(&set) : 1, c);
}
