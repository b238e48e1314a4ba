#ifndef CONTROL_TEXT_FILE_H
#define CONTROL_TEXT_FILE_H

/* Small files, read whole: configurations, certificates, tokens. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/span.h"

/* A bundle of all the world's certificate authorities has 200 KiB. */
#define TEXT_FILE_BYTES (1024 * 1024)

/* The file's text, in the arena and terminated. False with errno; EFBIG beyond TEXT_FILE_BYTES. */
bool text_file_read(const char *path, struct arena *arena, struct span *text);

#define TEXT_FILE_TROUBLE_BYTES 160
/* Why not, by errno; of a file that we may not read, whose it is, and who we are. */
const char *text_file_trouble(const char *path, char to[TEXT_FILE_TROUBLE_BYTES]);

#endif
