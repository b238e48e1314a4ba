#ifndef TESTS_SIM_PATTERN_H
#define TESTS_SIM_PATTERN_H

/*
 * Bodies that need not be stored: each byte follows from a key and its offset. So a byte that is
 * lost, doubled, moved, or from another body is noticed at its offset.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pattern_fill(uint64_t key, uint64_t place, void *to, size_t n);
bool pattern_is(uint64_t key, uint64_t place, const void *bytes, size_t n);

#endif
