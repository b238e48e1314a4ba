#ifndef SAMPLE_TROUBLE_H
#define SAMPLE_TROUBLE_H

/* Why a sample cluster refuses something, in OpenSearch's words. */

#include <stdbool.h>

#include "sample/text.h"

struct sample_trouble {
	unsigned status;  /* of HTTP; 0: there is none */
	const char *type; /* "mapper_parsing_exception" */
	char reason[512]; /* cut where it is longer; UTF-8 */
};

/* Returns false, for who returns whether all is well. */
__attribute__((format(printf, 4, 5))) bool sample_refuse(struct sample_trouble *t, unsigned status,
							 const char *type, const char *format, ...);
/* {"type":...,"reason":...} */
void sample_trouble_write(struct sample_text *to, const struct sample_trouble *t);
/* {"error":{...},"status":...}: a whole response. */
void sample_trouble_respond(struct sample_text *to, const struct sample_trouble *t);

#endif
