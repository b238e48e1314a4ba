#ifndef CONTROL_CONFIG_SKIP_H
#define CONTROL_CONFIG_SKIP_H

/* The rules of `capture.skip`: which requests are not recorded. */

#include "control/config.h"
#include "control/keys.h"

extern const struct section skip_section; /* struct config_skip */

/* const char *: a method, and a path with '*'. Rules of other sections use them, too. */
extern const struct key_type key_skip_method, key_skip_path;

/* Checks all rules together, and warns of rules that may skip a write. */
void check_skips(struct binder *b, const struct config_skip *first);

#endif
