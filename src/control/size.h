#ifndef CONTROL_SIZE_H
#define CONTROL_SIZE_H

/* Sizes as people write them: 512, 64KiB, 100MiB, 2GiB. */

#include <stdbool.h>
#include <stdint.h>

/* False when it is not one. KB, MB and GB are not: some mean 1000 by them, and some 1024. */
bool size_read(const char *text, uint64_t *bytes);

#endif
