#ifndef CAPTURE_NEWEST_H
#define CAPTURE_NEWEST_H

/* The newest decision that a capture log knows of: whoever begins with an older one has lost what
 * came between. */

#include <stdbool.h>
#include <stdint.h>

struct newest {
	uint64_t epoch;	  /* 0: no frame that weights decided is there */
	bool target;	  /* its request went to the target */
	uint64_t wall_ns; /* when */
	bool requests;	  /* there are some, if only of listeners for which no weights decide */
};

/* Reads the ends of the newest series. False with errno: the directory cannot be read. */
bool newest_look(int directory, struct newest *to);

#endif
