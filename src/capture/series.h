#ifndef CAPTURE_SERIES_H
#define CAPTURE_SERIES_H

/* How the files of a capture directory are called: "GENERATION-INDEX.capture". */

#include <stdbool.h>
#include <stdint.h>

#define SERIES_NAME_BYTES 48

void series_name(char name[SERIES_NAME_BYTES], uint64_t generation, uint64_t index);
/* The generation of a new series in that directory: none there is as high. False with errno. */
bool series_next(int directory, uint64_t *generation);
/* False: it is no segment's name. */
bool series_of(const char *name, uint64_t *generation, uint64_t *index);

#endif
