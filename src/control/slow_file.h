#ifndef CONTROL_SLOW_FILE_H
#define CONTROL_SLOW_FILE_H

/*
 * Opens a file that may be on a server that is gone: a thread that is made for it waits, and we
 * only for a while. A descriptor, or -1 with errno; EPERM: it, or the link, is somebody else's;
 * ETIMEDOUT after `ms`: whatever comes of it then is closed by that thread.
 */

#include <sys/types.h>

int slow_file_open(const char *path, int flags, mode_t mode, unsigned ms);

#endif
