#ifndef CONTROL_CHANGES_H
#define CONTROL_CHANGES_H

/* What differs between two configurations, in words: for the log, and for whoever has just asked
 * for it. */

#include "control/config.h"

/* Names of one kind that are told of; further ones are counted. */
#define CHANGES_NAMED 8
#define CHANGES_TEXT_BYTES 1024

/*
 * "listeners: +weighted 0.0.0.0:8443; nodes: +source es-3:9200, -target os-1:9200";
 * a certificate whose file says something else now has a ~. "settings" when it is none of these,
 * "nothing" when the texts are alike.
 */
void changes_tell(const struct config *before, const struct config *after,
		  char text[CHANGES_TEXT_BYTES]);

#endif
