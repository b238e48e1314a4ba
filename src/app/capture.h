#ifndef APP_CAPTURE_H
#define APP_CAPTURE_H

/* What the subcommands of `crossfade capture` share: where the log is, and what of it is wanted. */

#include "app/command.h"
#include "capture/consumer.h"
#include "capture/exchange_record.h"
#include "capture/unrecorded.h"

/* Options of all of them; they begin the table. */
struct capture_options {
	const char *config, *directory, *output;
};

#define CAPTURE_OPTIONS(o)                                                                         \
	{ 'c', "config", &(o)->config, NULL },                                                     \
	{                                                                                          \
		0, "directory", &(o)->directory, NULL                                              \
	}

/* Opens the reader that the options ask for. NULL after a diagnostic: *code is the exit code. */
struct reader *capture_open(const struct command *c, const struct capture_options *o, int *code);
/* The directory that the options name, to be freed. NULL after a diagnostic: *code is set. */
char *capture_directory(const struct command *c, const struct capture_options *o, int *code);
/*
 * Opens a consumer of the log, for the follower of that name, or NULL for none. False after a
 * diagnostic: exit with EXIT_NO. Both texts are borrowed until it is closed.
 */
bool capture_consume(struct consumer *c, const char *directory, const char *follower);
/* Prints the error of reader_next(); returns EXIT_NO. */
int capture_failed(const struct reader *r);
/* Prints how many places could not be read, and how many records were skipped, if any. */
void capture_tell_holes(const struct reader *r);
/*
 * Reads a command line that has only options: the directory, and `-o`. False after a diagnostic, or
 * help: *code is to be returned.
 */
bool capture_takes_no_more(const struct command *c, int argc, char **argv,
			   struct capture_options *o, bool *json, int *code);

/*
 * Runs a subcommand that has no options but the directory and -o text|json. `seen`: what has passed
 * unrecorded, read before the first record; NULL: no state directory is known that could say it.
 */
int capture_over_all(const struct command *c, int argc, char **argv,
		     int (*what)(struct reader *r, const struct unrecorded_seen *seen, bool json));

/* Which exchanges are wanted; all members may be NULL. */
struct capture_filter {
	const char *from, *to, *path, *method, *status;
	uint64_t from_ns, to_ns; /* as read; wall time */
	unsigned least, most;	 /* of the status; without `status`, not used */
};

#define FILTER_OPTIONS(f)                                                                          \
	{ 0, "from", &(f)->from, NULL }, { 0, "to", &(f)->to, NULL },                              \
		{ 0, "path", &(f)->path, NULL }, { 0, "method", &(f)->method, NULL },              \
	{                                                                                          \
		0, "status", &(f)->status, NULL                                                    \
	}

/* Why an exchange is left out: the first reason that holds. */
enum capture_misfit {
	FITS,
	MISFIT_TIME,
	MISFIT_METHOD,
	MISFIT_PATH,
	MISFIT_STATUS,
	MISFITS,
};

/* False after a diagnostic. */
bool capture_filter_read(const struct command *c, struct capture_filter *f);
enum capture_misfit capture_misfit(const struct capture_filter *f, const struct exchange_record *s);

/* The subcommands: as commands, argv[0] is their name. */
int capture_ls(const struct command *c, int argc, char **argv);
int capture_cat(const struct command *c, int argc, char **argv);
int capture_verify(const struct command *c, int argc, char **argv);
int capture_gaps(const struct command *c, int argc, char **argv);
int capture_export(const struct command *c, int argc, char **argv);
int capture_followers(const struct command *c, int argc, char **argv);
int capture_drop_follower(const struct command *c, int argc, char **argv);

/* One exchange as an object; owned by the caller. */
struct json_t *exchange_record_json(const struct exchange_record *s, bool bodies);

#endif
