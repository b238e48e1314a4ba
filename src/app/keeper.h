#ifndef APP_KEEPER_H
#define APP_KEEPER_H

/*
 * The process that the system knows: it holds what must outlive working processes, starts one, and
 * starts it again when it dies. It reads no configuration and has one thread.
 *
 * The working process is this very program, executed anew from the binary that the keeper opened at
 * its start, as `crossfade work`; see work.h. It dies with the keeper. SIGHUP has it read the
 * configuration anew. SIGTERM and SIGINT let it drain; a second one ends it; a third kills it.
 *
 * SIGUSR2 is an upgrade: the program that is now where this one was started from checks the
 * configuration and what it would be handed; then the keeper executes it in its own place, with the
 * same process id. It starts a new working process on the same sockets, and when that serves the
 * old one drains. Whatever fails on the way leaves the old one serving.
 */

/* Of `crossfade run`, hidden: the descriptor of what an earlier execution hands over. */
#define KEEPER_HANDOVER_OPTION "handover"

/*
 * Until the end; `config` is the path that the working process reads; `handed_over` is -1, or a
 * descriptor of handover.h. Returns the exit code.
 */
int keeper_run(const char *config, int handed_over);

#endif
