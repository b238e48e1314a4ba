#include "io/port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENS 0x0a /* TCP_LISTEN */
/* Sockets that share the address by SO_REUSEPORT. */
#define INODES_MAX 64

struct inodes {
	unsigned long list[INODES_MAX];
	unsigned n;
	uid_t uid;
};

/* --- /proc/net/tcp --- */

/* "0100007F:1F90": words as they are in memory, and the port as a number. */
static bool read_address(const char *text, int family, struct addr *to)
{
	unsigned words = family == AF_INET ? 1 : 4, port;
	uint32_t bytes[4];
	*to = (struct addr){ 0 };
	if (strlen(text) < 8 * words + 2)
		return false;
	for (unsigned i = 0; i < words; i++)
		if (sscanf(text + 8 * i, "%8x", &bytes[i]) != 1)
			return false;
	if (sscanf(text + 8 * words, ":%x", &port) != 1)
		return false;
	to->any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&to->v4.sin_addr, bytes, 4);
	else
		memcpy(&to->v6.sin6_addr, bytes, 16);
	addr_set_port(to, (uint16_t)port);
	return true;
}

/* One that listens at :: may take what comes by IPv4, too. */
static bool is_in_the_way(const struct addr *other, const struct addr *a)
{
	return addr_port(other) == addr_port(a) &&
	       (addr_overlaps(other, a) ||
		(other->any.sa_family == AF_INET6 && addr_is_any(other)));
}

static void read_row(const char *line, int family, const struct addr *a, struct inodes *to)
{
	char local[48];
	unsigned state, uid;
	unsigned long inode;
	struct addr other;
	if (sscanf(line, " %*[^ ] %47s %*s %x %*s %*s %*s %u %*s %lu", local, &state, &uid,
		   &inode) != 4 ||
	    state != LISTENS || !read_address(local, family, &other) || !is_in_the_way(&other, a) ||
	    to->n == INODES_MAX)
		return;
	to->uid = uid;
	to->list[to->n++] = inode;
}

static void read_table(const char *path, int family, const struct addr *a, struct inodes *to)
{
	char line[512];
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		read_row(line, family, a, to);
	if (f)
		fclose(f);
}

/* --- processes --- */

static bool is_one_of(const char *link, const struct inodes *of)
{
	unsigned long inode;
	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return false;
	for (unsigned i = 0; i < of->n; i++)
		if (of->list[i] == inode)
			return true;
	return false;
}

static bool has_one(const char *pid, const struct inodes *of)
{
	char path[64], link[64];
	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	DIR *d = opendir(path);
	bool found = false;
	for (const struct dirent *e; d && !found && (e = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);
		link[n > 0 ? n : 0] = 0;
		found = is_one_of(link, of);
	}
	if (d)
		closedir(d);
	return found;
}

/* "4711 (name) S 1 ...": a name may have anything in it. */
static void read_process(const char *pid, struct port_owner *to)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *name = strchr(text, '('), *end = strrchr(text, ')');
	int parent;
	if (!name || !end || sscanf(end, ") %*c %d", &parent) != 1)
		return;
	to->pid = atoi(pid);
	to->parent = parent;
	snprintf(to->name, sizeof to->name, "%.*s", (int)(end - name - 1), name + 1);
}

static void find_process(const struct inodes *of, struct port_owner *to)
{
	DIR *d = opendir("/proc");
	for (const struct dirent *e; d && !to->pid && (e = readdir(d));)
		if (isdigit((unsigned char)e->d_name[0]) && has_one(e->d_name, of))
			read_process(e->d_name, to);
	if (d)
		closedir(d);
}

void port_owner_find(const struct addr *a, struct port_owner *to)
{
	struct inodes all = { .n = 0 };
	*to = (struct port_owner){ .listens = false };
	read_table("/proc/net/tcp", AF_INET, a, &all);
	read_table("/proc/net/tcp6", AF_INET6, a, &all);
	to->listens = all.n;
	to->uid = all.uid;
	if (all.n)
		find_process(&all, to);
}

void port_owner_text(const struct port_owner *o, char text[PORT_OWNER_TEXT_BYTES])
{
	text[0] = 0;
	if (o->pid)
		snprintf(text, PORT_OWNER_TEXT_BYTES, " (process %d, %s, listens there)",
			 (int)o->pid, o->name);
	else if (o->listens)
		snprintf(text, PORT_OWNER_TEXT_BYTES,
			 " (a process of user %u that is not to be seen from here listens there)",
			 (unsigned)o->uid);
}
