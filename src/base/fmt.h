#ifndef BASE_FMT_H
#define BASE_FMT_H

/* Numbers as text, on the path of each request: printf() takes ten times as long. */

#include <stddef.h>
#include <stdint.h>

#define FMT_DECIMAL_BYTES 20
#define FMT_HEX_BYTES 16

/* Writes the number without leading zeros and without a NUL; returns the number of bytes. */
size_t fmt_decimal(char to[FMT_DECIMAL_BYTES], uint64_t n);
size_t fmt_hex(char to[FMT_HEX_BYTES], uint64_t n);

/* Writes the last `digits` digits, with leading zeros; returns the end of the text. */
char *fmt_hex_wide(char *to, uint64_t n, unsigned digits);

#endif
