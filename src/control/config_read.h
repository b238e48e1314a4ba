#ifndef CONTROL_CONFIG_READ_H
#define CONTROL_CONFIG_READ_H

/* Reads a text as a configuration: the tables of keys, and the checks between their values. */

#include "control/config.h"

/* Reads a file. Never NULL: the diagnostics say whether it failed. */
struct config *config_open(const char *path);
/*
 * The same from the texts that were in force: `kept` has the configuration and the files that it
 * names.
 */
struct config *config_open_saved(const char *path, const struct saved_files *kept);
/*
 * The same from a text. Relative paths in it begin at `directory`. `name` appears in diagnostics.
 */
struct config *config_open_text(const char *name, const char *directory, struct span text);

#endif
