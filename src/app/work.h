#ifndef APP_WORK_H
#define APP_WORK_H

/*
 * The working process. It reads the configuration, gets its sockets from the keeper, and serves
 * with one thread for each worker; its first thread is control's.
 */

/*
 * The hidden command that the keeper executes: WORK_COMMAND CONFIG SOURCE CHANNEL BOARD TICKETS
 * SAVED-CONFIG KEEPER-PID
 */
#define WORK_COMMAND "work"

int work_main(int argc, char **argv);

/*
 * The same without a keeper. `channel`: one end of a pair, moved in; at the other end, something
 * replies as a keeper would. Returns the exit code.
 */
int work_alone(const char *config, int channel, int board_fd, int tickets_fd);

#endif
