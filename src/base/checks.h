#ifndef BASE_CHECKS_H
#define BASE_CHECKS_H

/*
 * Checks of what must hold between the members of a struct while none of its functions runs. Each
 * central struct has an X_check(), made of must(), which its own functions call at their end by
 * checks(X_check(x)). Builds for tests (CMake's CHECKS) run them; the program as it ships does not.
 */
#ifdef CHECKS
#define checks(look) (look)
#else
#define checks(look) ((void)0)
#endif

/*
 * The most members of a list that a check looks at: a check must not cost more than the checked
 * function.
 */
#define CHECKED_MAX 64

#endif
