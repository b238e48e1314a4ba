#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

int64_t clock_wall_s(void)
{
	return (int64_t)(clock_wall_ns() / 1000000000u);
}

void clock_text(uint64_t wall_ns, char text[CLOCK_TEXT_BYTES])
{
	time_t s = (time_t)(wall_ns / 1000000000u);
	struct tm t;
	gmtime_r(&s, &t);
	char wide[64];
	snprintf(wide, sizeof wide, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", t.tm_year + 1900,
		 t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
		 (unsigned)(wall_ns / 1000000u % 1000u));
	snprintf(text, CLOCK_TEXT_BYTES, "%.24s", wide);
}

bool clock_read(const char *text, uint64_t *wall_ns)
{
	struct tm t = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
	char *fraction = NULL;
	double part = end && *end == '.' ? strtod(end, &fraction) : 0;
	end = fraction ? fraction : end;
	if (!end || (*end && strcmp(end, "Z") != 0))
		return false;
	*wall_ns = (uint64_t)timegm(&t) * 1000000000u + (uint64_t)(part * 1e9);
	return true;
}
