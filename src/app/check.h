#ifndef APP_CHECK_H
#define APP_CHECK_H

/* Whether a configuration is good; what is not is said on standard error. Opens no port. */

#include <stdbool.h>

bool check_file(const char *path);

#endif
