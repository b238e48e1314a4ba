#include "capture/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void series_name(char name[SERIES_NAME_BYTES], uint64_t generation, uint64_t index)
{
	snprintf(name, SERIES_NAME_BYTES, "%08" PRIu64 "-%08" PRIu64 ".capture", generation, index);
}

bool series_of(const char *name, uint64_t *generation, uint64_t *index)
{
	char as_it_should_be[SERIES_NAME_BYTES];
	if (sscanf(name, "%" SCNu64 "-%" SCNu64, generation, index) != 2)
		return false;
	series_name(as_it_should_be, *generation, *index);
	return !strcmp(name, as_it_should_be);
}
