#ifndef CAPTURE_BOOT_H
#define CAPTURE_BOOT_H

/* The kernel's life: its monotonic clock, and what it keeps of files, go on while this is the same.
 */

#include <stdint.h>

/* Zeros where it is not known. */
void boot_read(uint8_t boot[16]);

#endif
