#ifndef CONTROL_CERTIFICATE_DATES_H
#define CONTROL_CERTIFICATE_DATES_H

/*
 * The validity dates of all certificates of a configuration: those that clients get, and those that
 * we trust. A certificate is never refused for its dates. `check` warns about it, and so do the log
 * (at each start, at each reload, and once a day), `status` and the metrics.
 */

#include <jansson.h>

#include "base/wheel.h"
#include "control/config.h"
#include "net/tls_dates.h"

struct certificate_dates_one {
	const char *use;  /* "listener", "admin", "source", "target", "kafka" */
	const char *file; /* borrowed from the configuration */
	size_t at;	  /* the place in the configuration that names it */
	struct tls_dates dates;
};

/* Borrows from one configuration, which must live as long. */
struct certificate_dates {
	struct certificate_dates_one *list; /* owned */
	size_t n;
};

/* Adds a diagnostic for each file of which a part is broken. */
void certificate_dates_open(struct certificate_dates *v, const struct config *c,
			    struct diagnostics *to);
void certificate_dates_close(struct certificate_dates *v);

enum certificate_dates_state {
	CERTIFICATE_DATES_GOOD,
	CERTIFICATE_DATES_EXPIRES,
	CERTIFICATE_DATES_EXPIRED,
	CERTIFICATE_DATES_NOT_YET
};
enum certificate_dates_state certificate_dates_state(const struct certificate_dates_one *o,
						     int64_t now_s);

/* Adds a warning for each certificate whose state is not CERTIFICATE_DATES_GOOD. */
void certificate_dates_warning(const struct certificate_dates *v, int64_t now_s,
			       struct diagnostics *to);
/* Writes the same as lines of the log. */
void certificate_dates_say(const struct certificate_dates *v, int64_t now_s);
json_t *certificate_dates_json(const struct certificate_dates *v, int64_t now_s);
void certificate_dates_metrics(const struct certificate_dates *v, FILE *to);

#endif
