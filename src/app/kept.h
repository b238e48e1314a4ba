#ifndef APP_KEPT_H
#define APP_KEPT_H

/*
 * The text of the configuration that is in force, in memory that outlives the working process: one
 * that is started after a crash goes on with it, whatever the file on disk has become meanwhile.
 * What it names, as certificates, is read from disk again. Two copies, as on the board: a writer
 * that is killed midway hurts nobody.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "control/text_file.h"

#define KEPT_VERSION 1

struct kept_copy {
	uint32_t n;
	char text[TEXT_FILE_BYTES];
};

/* Fresh memory, all zeros, holds nothing yet. */
struct kept {
	_Atomic uint32_t changes; /* its lowest bit says which copy is valid; 0: none is */
	uint32_t version;	  /* KEPT_VERSION, with the first text */
	struct kept_copy copies[2];
};

/* The one writer is the process that serves; `text` is at most TEXT_FILE_BYTES long. */
void kept_put(struct kept *k, struct span text);
/* False: there is none that can be understood. Borrowed, until the next but one is put. */
bool kept_read(const struct kept *k, struct span *text);

#endif
