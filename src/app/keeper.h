#ifndef APP_KEEPER_H
#define APP_KEEPER_H

/*
 * The process that the system knows: it holds what must outlive working processes, starts one, and
 * starts it again when it dies. It reads no configuration and has one thread.
 *
 * The working process is this very program, executed anew from the binary that the keeper opened at
 * its start, as `crossfade work`; see work.h. It dies with the keeper. SIGHUP has it read the
 * configuration anew. SIGTERM and SIGINT let it drain; a second one ends it; a third kills it.
 */

/* Until the end; `config` is the path that the working process reads. Returns the exit code. */
int keeper_run(const char *config);

#endif
