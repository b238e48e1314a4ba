/* syncs.c - what a bare fdatasync of 4 KiB takes in a directory: the floor of whatever
 * waits for that disk.
 *
 *   syncs DIRECTORY [SECONDS]
 *
 * As a log is written: one block after the other into a file whose room was taken and
 * whose zeros were synced before, so that a sync has no metadata to write. The last
 * line is JSON, times in microseconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define ROOM (16 << 20)
#define MAX 200000
static double us[MAX];

static double now_us(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }
static int by_size(const void *a, const void *b) { double x = *(const double *)a, y = *(const double *)b; return (x > y) - (x < y); }

int main(int argc, char **argv)
{
	if (argc < 2) { fprintf(stderr, "usage: syncs DIRECTORY [SECONDS]\n"); return 2; }
	double until = (argc > 2 ? atof(argv[2]) : 1) * 1e6; int n = 0;
	char name[4096], *zeros = calloc(1, ROOM), block[BLOCK];
	snprintf(name, sizeof name, "%s/syncs.XXXXXX", argv[1]);
	int fd = mkstemp(name);
	if (fd < 0 || !zeros) { perror("syncs"); return 1; }
	unlink(name); memset(block, 'x', sizeof block);
	if (pwrite(fd, zeros, ROOM, 0) != ROOM || fsync(fd)) { perror("syncs"); return 1; }
	for (until += now_us(); now_us() < until && n < MAX; n++) {
		double t = now_us();
		if (pwrite(fd, block, BLOCK, (off_t)n * BLOCK % ROOM) != BLOCK || fdatasync(fd)) { perror("syncs"); return 1; }
		us[n] = now_us() - t;
	}
	qsort(us, (size_t)n, sizeof *us, by_size);
	printf("{\"syncs\":%d,\"least_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", n, us[0], us[n / 2], us[n * 99 / 100]);
	return 0;
}
