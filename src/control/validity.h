#ifndef CONTROL_VALIDITY_H
#define CONTROL_VALIDITY_H

/*
 * Until when the certificates of a configuration are valid, those that clients get and those that
 * we trust alike. Nothing is refused for its age: it is said by `check`, in the log at each start
 * and reload and once a day, by `status`, and for alerts.
 */

#include <jansson.h>

#include "base/wheel.h"
#include "control/config.h"
#include "net/tls_dates.h"

struct validity_one {
	const char *use;  /* "listener", "source", "target", "kafka" */
	const char *file; /* borrowed: the configuration's */
	size_t at;	  /* where it is named */
	struct tls_dates dates;
};

/* Of one configuration, which lives as long. */
struct validity {
	struct validity_one *list; /* owned */
	size_t n;
};

/* Complains about a file of which a part is broken. */
void validity_open(struct validity *v, const struct config *c, struct complaints *to);
void validity_close(struct validity *v);

enum validity_state { VALIDITY_GOOD, VALIDITY_EXPIRES, VALIDITY_EXPIRED, VALIDITY_NOT_YET };
enum validity_state validity_state(const struct validity_one *o, int64_t now_s);

/* Warns of each that is not good, where it is named. */
void validity_caution(const struct validity *v, int64_t now_s, struct complaints *to);
/* The same as lines of the log. */
void validity_say(const struct validity *v, int64_t now_s);
json_t *validity_json(const struct validity *v, int64_t now_s);
void validity_metrics(const struct validity *v, FILE *to);

#endif
