#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

/* CRC-32C, Castagnoli's polynomial (RFC 3720, appendix B.4). */

#include <stddef.h>
#include <stdint.h>

/* Of the bytes that gave `crc` (0: none) and the `n` at `bytes` behind them. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
