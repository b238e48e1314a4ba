#ifndef APP_SAVED_CONFIG_H
#define APP_SAVED_CONFIG_H

/*
 * The configuration in force (control/saved_files.h), in a memory of its own. The working process
 * makes it again after each change and gives it to the keeper: a process that is started after a
 * crash goes on with it. It contains keys, so it must not reach a disk or a core file: where the
 * kernel has memfd_secret, which only processes that map it can read, it is used; otherwise the
 * keeper locks the memory. Whether a memory that another version made can be read is decided as
 * saved_files.h says; if not, the files on disk are read.
 */

#include "control/saved_files.h"

/* Returns the descriptor of a memory with all the files, close-on-exec; -1 with errno. */
int saved_config_make(const struct saved_files *files);
/* Maps the memory; saved_files_read() reads the bytes. False: there is none. */
bool saved_config_map(int fd, struct span *bytes);
/*
 * The same, and keeps the memory out of swap until saved_config_unmap(). False with errno: it may
 * be mapped nevertheless, but could be swapped.
 */
bool saved_config_lock(int fd, struct span *bytes);
/* Does nothing if nothing is mapped. */
void saved_config_unmap(struct span *bytes);

#endif
