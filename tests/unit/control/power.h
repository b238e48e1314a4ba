#ifndef TESTS_UNIT_CONTROL_POWER_H
#define TESTS_UNIT_CONTROL_POWER_H

/*
 * One directory whose power may fail. Whatever is written, cut, named and renamed there is
 * remembered in its order, beside what fsync() has promised of it: bytes by the file's, names by
 * the directory's. power_cut() makes, in another directory, what a power cut at one moment may have
 * left: all that was promised, and of the rest nothing, all, or any part, torn at a sector.
 *
 * The linker leads our calls here (--wrap, tests/CMakeLists.txt). The clock of this world is the
 * number of steps so far.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum power_luck {
	LUCK_NONE, /* nothing that was not synced is there */
	LUCK_ALL,
	LUCK_SOME,
	LUCKS,
};

/* From here on `directory`, which is empty, is watched; NULL: none is. */
void power_watch(const char *directory);
/* Steps so far: a cut may be at any number up to it. */
unsigned power_steps(void);
/* Fills `directory`, which is empty. `seed` chooses with LUCK_SOME. */
void power_cut(unsigned step, enum power_luck luck, uint64_t seed, const char *directory);

#endif
