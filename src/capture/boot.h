#ifndef CAPTURE_BOOT_H
#define CAPTURE_BOOT_H

/*
 * The kernel's boot id: while it is the same, the monotonic clock goes on, and what the kernel
 * holds of files in memory is still there.
 */

#include <stdint.h>

/* Zeros where the boot id is not known. */
void boot_read(uint8_t boot[16]);

#endif
