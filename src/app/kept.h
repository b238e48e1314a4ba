#ifndef APP_KEPT_H
#define APP_KEPT_H

/*
 * What is in force (control/kept_files.h) in memory of its own, which the working process makes
 * anew with each change and gives to the keeper: one that is started after a crash goes on with it.
 * Keys are in it, so it reaches neither a disk nor a core: where the kernel has it, it is
 * memfd_secret, which nobody but who has mapped it can read; else the keeper locks it.
 */

#include "control/kept_files.h"

/* A descriptor of memory that holds them all, close-on-exec; -1 with errno. */
int kept_make(const struct kept_files *files);
/* The bytes of it, mapped; what is read of them is for kept_files_read(). False: none. */
bool kept_map(int fd, struct span *bytes);
/*
 * The same, and keeps the memory out of swap until kept_unmap(). False with errno: it may be mapped
 * all the same, and get there.
 */
bool kept_lock(int fd, struct span *bytes);
/* Does nothing where nothing is mapped. */
void kept_unmap(struct span *bytes);

#endif
