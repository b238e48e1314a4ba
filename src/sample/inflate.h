#ifndef SAMPLE_INFLATE_H
#define SAMPLE_INFLATE_H

/* Bodies of requests that are coded by gzip, as clients of OpenSearch send large bulks. */

#include "http/msg.h"

/*
 * What the body says, owned, where the request says that it is coded; else `plain` is untouched.
 * False: it is coded otherwise, or broken, or more than `max` bytes.
 */
bool sample_inflate_if_coded(const struct msg *request, struct span body, size_t max,
			     struct span *plain);

#endif
