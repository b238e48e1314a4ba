#ifndef APP_KEEPER_H
#define APP_KEEPER_H

/*
 * The process that the system knows: it holds what must outlive working processes, starts a working
 * process, and starts another one when it dies. It reads no configuration. Besides its own thread
 * there is only the logger's.
 *
 * The working process is this same program, executed as `crossfade work` from the binary that the
 * keeper opened at its start; see work.h. It dies with the keeper. SIGHUP makes it read the
 * configuration again. SIGTERM and SIGINT make it drain; a second one ends the draining; a third
 * one kills it.
 *
 * SIGUSR2 starts an upgrade. The program that is now at the path of this one checks the
 * configuration and the hand-over list. Then the keeper executes that program in its own place,
 * with the same process id. The new keeper starts a working process on the same sockets; when that
 * one serves, the old one drains. If any step fails, the old working process goes on serving.
 */

/*
 * A hidden option of `crossfade run`: the descriptor of the list that an earlier execution hands
 * over.
 */
#define KEEPER_HANDOVER_OPTION "handover"

/*
 * Runs until the balancer has ended. `config`: the path that the working process reads.
 * `handed_over`: -1, or a descriptor of handover.h. Returns the exit code.
 */
int keeper_run(const char *config, int handed_over);

#endif
