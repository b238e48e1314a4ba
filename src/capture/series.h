#ifndef CAPTURE_SERIES_H
#define CAPTURE_SERIES_H

/* The names of the files in a capture directory: "GENERATION-INDEX.capture". */

#include <stdbool.h>
#include <stdint.h>

#define SERIES_NAME_BYTES 48

void series_name(char name[SERIES_NAME_BYTES], uint64_t generation, uint64_t index);
/* The generation for a new series: above all that are in the directory. False with errno. */
bool series_next(int directory, uint64_t *generation);
/* False: it is not a segment's name. */
bool series_of(const char *name, uint64_t *generation, uint64_t *index);

#endif
