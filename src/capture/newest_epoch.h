#ifndef CAPTURE_NEWEST_EPOCH_H
#define CAPTURE_NEWEST_EPOCH_H

/*
 * The newest epoch that a capture log knows of. A process that begins with an older one has lost
 * the changes in between.
 */

#include <stdbool.h>
#include <stdint.h>

#include "capture/frame.h"

struct newest_epoch {
	uint64_t epoch;		   /* 0: the weights decided no frame that is there */
	bool target;		   /* its request went to the target */
	uint64_t wall_ns;	   /* when it was recorded */
	bool requests;		   /* there are requests, if only on listeners without weights */
	struct record_owner owner; /* the owner of the greatest epoch; zeros: no frame says it */
};

/* Reads the ends of the newest series. False with errno: the directory cannot be read. */
bool newest_epoch_look(int directory, struct newest_epoch *to);

#endif
