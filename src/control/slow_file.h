#ifndef CONTROL_SLOW_FILE_H
#define CONTROL_SLOW_FILE_H

/*
 * Opens a file that may be on a file server that does not answer. A thread made for this call opens
 * it, and the caller waits `ms` at most. A descriptor, or -1 with errno; EPERM: the file or the
 * link belongs to another user; ETIMEDOUT: the thread closes the descriptor if it gets one later.
 */

#include <sys/types.h>

int slow_file_open(const char *path, int flags, mode_t mode, unsigned ms);

#endif
