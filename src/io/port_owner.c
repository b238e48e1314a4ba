#include "io/port_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

#define LISTENS 0x0a /* TCP_LISTEN */

struct inodes {
	unsigned long list[PORT_INODES_MAX];
	unsigned n;
	uid_t uid;
};

/* --- /proc/net/tcp --- */

#define WORD_DIGITS 8

/* "0100007F:1F90": 32-bit words in the byte order of the machine, and the port as a number. */
static bool read_address(const char *text, int family, struct addr *to)
{
	size_t words = family == AF_INET ? 1 : 4, digits = words * WORD_DIGITS;
	uint32_t bytes[4];
	*to = (struct addr){ 0 };
	if (strspn(text, "0123456789ABCDEF") != digits || text[digits] != ':')
		return false;
	for (size_t i = 0; i < words; i++) {
		char word[WORD_DIGITS + 1] = "";
		memcpy(word, text + i * WORD_DIGITS, WORD_DIGITS);
		bytes[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	to->any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		memcpy(&to->v4.sin_addr, bytes, 4);
	else
		memcpy(&to->v6.sin6_addr, bytes, 16);
	addr_set_port(to, (uint16_t)strtoul(text + digits + 1, NULL, 16));
	return true;
}

/* A socket that listens at :: may accept IPv4 connections, too. */
static bool takes_port_of(const struct addr *other, const struct addr *a)
{
	return addr_port(other) == addr_port(a) &&
	       (addr_overlaps(other, a) ||
		(other->any.sa_family == AF_INET6 && addr_is_any(other)));
}

/* The columns of a row. */
enum { LOCAL = 1, STATE = 3, UID = 7, INODE = 9, COLUMNS };

static void read_row(char *line, int family, const struct addr *a, struct inodes *to)
{
	char *rest, *columns[COLUMNS];
	struct addr other;
	for (size_t i = 0; i < COLUMNS; i++) {
		columns[i] = strtok_r(i ? NULL : line, " ", &rest);
		if (!columns[i])
			return;
	}
	if (strtoul(columns[STATE], NULL, 16) != LISTENS ||
	    !read_address(columns[LOCAL], family, &other) || !takes_port_of(&other, a) ||
	    to->n == PORT_INODES_MAX)
		return;
	to->uid = (uid_t)strtoul(columns[UID], NULL, 10);
	to->list[to->n++] = strtoul(columns[INODE], NULL, 10);
}

static void port_owner_read_table(const char *path, int family, const struct addr *a,
				  struct inodes *to)
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
	static const char begin[] = "socket:[";
	if (strncmp(link, begin, sizeof begin - 1) != 0)
		return false;
	unsigned long inode = strtoul(link + sizeof begin - 1, NULL, 10);
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

/* "4711 (name) S 1 ...": the name may contain any character. */
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
	if (!name || !end || strlen(end) < sizeof ") S 1" - 1)
		return;
	to->pid = (pid_t)strtol(pid, NULL, 10);
	to->parent = (pid_t)strtol(end + sizeof ") S" - 1, NULL, 10);
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
	port_owner_read_table("/proc/net/tcp", AF_INET, a, &all);
	port_owner_read_table("/proc/net/tcp6", AF_INET6, a, &all);
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
			 " (a process of user %u, which is not visible from here, listens there)",
			 (unsigned)o->uid);
}
