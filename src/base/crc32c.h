#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

/* CRC-32C, Castagnoli's polynomial (RFC 3720, appendix B.4). */

#include <stddef.h>
#include <stdint.h>

/* Continues the checksum `crc` (0: no bytes before) over the `n` bytes at `bytes`. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
