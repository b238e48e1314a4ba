#ifndef CONTROL_TEXT_FILE_H
#define CONTROL_TEXT_FILE_H

/* Small files, read whole: configurations, certificates, tokens. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/span.h"

/*
 * The text of the file, in the arena and terminated. False with errno; EFBIG beyond
 * TEXT_FILE_BYTES.
 */
bool text_file_read(const char *path, struct arena *arena, struct span *text);

#define TEXT_FILE_TROUBLE_BYTES 160
/*
 * Why it cannot be read, by errno. For a file without read permission: who owns it, and which user
 * this process has.
 */
const char *text_file_trouble(const char *path, char to[TEXT_FILE_TROUBLE_BYTES]);

#endif
