#ifndef TESTS_SIM_PATTERN_H
#define TESTS_SIM_PATTERN_H

/*
 * Bodies that need not be kept: each byte follows from a key and its place. A byte that is lost,
 * doubled, moved, or of another body is noticed where it stands.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pattern_fill(uint64_t key, uint64_t place, void *to, size_t n);
bool pattern_is(uint64_t key, uint64_t place, const void *bytes, size_t n);

#endif
