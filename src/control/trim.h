#ifndef CONTROL_TRIM_H
#define CONTROL_TRIM_H

/*
 * Gives malloc's free memory back to the system when many connections have gone: TLS sessions are
 * OpenSSL's and stand among each other there. Workers give back their slabs themselves.
 */

#include "base/wheel.h"

struct control;

struct trim {
	struct control *control; /* borrowed */
	struct timer due;
	uint64_t gone; /* connections, when it was last looked at */
	bool going;    /* some went in the interval before */
};

void trim_open(struct trim *t, struct control *control);
void trim_close(struct trim *t);

#endif
