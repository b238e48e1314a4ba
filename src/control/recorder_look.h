#ifndef CONTROL_RECORDER_LOOK_H
#define CONTROL_RECORDER_LOOK_H

/*
 * Looks periodically at the capture directory, and removes segments beyond the retention; looks
 * also at the file that counts unrecorded requests. Each look runs on the thread of its disk: a
 * disk that does not answer only delays this information.
 */

#include "control/recorder.h"

/*
 * If there is a log: starts the thread of the capture directory, which wakes `io`. `state_disk`,
 * borrowed, is for the state directory. False with errno.
 */
bool recorder_attach(struct recorder *r, struct io *io, struct wheel *wheel,
		     struct disk_jobs *state_disk);
/* Call it after each turn of the loop. */
void recorder_turn(struct recorder *r);
/*
 * Ends the log. All workers and all jobs of `state_disk` must be over. False: a disk does not
 * answer, and what its thread uses must stay until the process ends.
 */
bool recorder_detach(struct recorder *r);

/*
 * True: the capture directory does not answer, and what is known of it is as of
 * r->looked_at_wall_ns.
 */
bool recorder_is_stale(const struct recorder *r);

#endif
