#ifndef APP_ONE_PROCESS_H
#define APP_ONE_PROCESS_H

/*
 * `crossfade run --one-process`, for a debugger. The working process has no keeper; a thread of the
 * same process does what a keeper would do, and handles the signals. There is no restart after a
 * crash, and no upgrade.
 */

/*
 * Runs until the balancer has ended. `config`: the path of the configuration. Returns the exit
 * code.
 */
int one_process_run(const char *config);

#endif
