#ifndef CONTROL_SIZE_H
#define CONTROL_SIZE_H

/* Sizes as people write them: 512, 64KiB, 100MiB, 2GiB. */

#include <stdbool.h>
#include <stdint.h>

/*
 * False when `text` is not a size. KB, MB and GB are refused: some people mean 1000 by them, others
 * 1024.
 */
bool size_read(const char *text, uint64_t *bytes);

#endif
