#ifndef BASE_BUG_H
#define BASE_BUG_H

/*
 * What only we can do wrong. must() is on in every build: a broken promise ends the process at the
 * place that noticed it, and the keeper starts it again. What a peer or the world may do is never
 * a must(); that is an `enum err`.
 */

_Noreturn void bug_die(const char *promise, const char *file, int line);

#define must(promise) ((promise) ? (void)0 : bug_die(#promise, __FILE__, __LINE__))

#endif
