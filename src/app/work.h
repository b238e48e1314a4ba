#ifndef APP_WORK_H
#define APP_WORK_H

/*
 * The working process: reads the configuration, gets its sockets from the keeper, and serves with a
 * thread for each worker; its first thread is control's.
 */

/* The hidden command that the keeper executes: WORK_COMMAND CONFIG CHANNEL BOARD TICKETS KEEPER-PID
 */
#define WORK_COMMAND "work"

int work_main(int argc, char **argv);

#endif
