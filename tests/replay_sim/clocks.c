#include "replay_sim/clocks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "base/log.h"
#include "replay_sim/world.h"

/* What is wrapped has no argument that could tell the world. */
static struct world *clocks_world;

void clocks_are_of(struct world *w)
{
	clocks_world = w;
}

int __real_clock_gettime(clockid_t id, struct timespec *to);
int __wrap_clock_gettime(clockid_t id, struct timespec *to);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags);
void __wrap_log_line(enum log_level level, const char *format, ...);

int __wrap_clock_gettime(clockid_t id, struct timespec *to)
{
	if (!clocks_world)
		return __real_clock_gettime(id, to);
	uint64_t ns =
		id == CLOCK_REALTIME ? world_wall_ns(clocks_world) : sim_now_ns(clocks_world->sim);
	*to = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
				 .tv_nsec = (long)(ns % 1000000000) };
	return 0;
}

ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)dice_roll(&clocks_world->cluster_dice, 256);
	return (ssize_t)n;
}

void __wrap_log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	(void)level;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (clocks_world)
		world_tell(clocks_world, "log: %s", line);
}
