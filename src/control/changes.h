#ifndef CONTROL_CHANGES_H
#define CONTROL_CHANGES_H

/*
 * The differences between two configurations, in words: for the log, and for the operator who asked
 * for the reload.
 */

#include "control/config.h"

#define CHANGES_TEXT_BYTES 1024

/*
 * "listeners: +weighted 0.0.0.0:8443; nodes: +source es-3:9200, -target os-1:9200"; '~'
 * marks a certificate whose file has changed. "settings" when only other keys differ; "nothing"
 * when both texts are the same.
 */
void changes_tell(const struct config *before, const struct config *after,
		  char text[CHANGES_TEXT_BYTES]);

#endif
