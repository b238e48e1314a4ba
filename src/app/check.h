#ifndef APP_CHECK_H
#define APP_CHECK_H

/* Checks a configuration. Prints what is wrong on standard error. Opens no port. */

#include <stdbool.h>

bool check_file(const char *path);

#endif
