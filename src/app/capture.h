#ifndef APP_CAPTURE_H
#define APP_CAPTURE_H

/* What the subcommands of `crossfade capture` share: where the log is, and what of it is wanted. */

#include "app/command.h"
#include "capture/reader.h"
#include "capture/story.h"
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

/* The reader that they ask for; NULL after a complaint, and *code is what to exit with. */
struct reader *capture_open(const struct command *c, const struct capture_options *o, int *code);
/* The directory that they ask for, to be freed; NULL after a complaint, and *code is set. */
char *capture_directory(const struct command *c, const struct capture_options *o, int *code);
/* Complains of what reader_next() has found; returns EXIT_NO. */
int capture_failed(const struct reader *r);
/* Says that something could not be read, where holes were passed over. */
void capture_tell_holes(const struct reader *r);
/* Options alone: where the log is, and `-o`. False after a complaint, or help: *code is to be
 * returned. */
bool capture_takes_no_more(const struct command *c, int argc, char **argv,
			   struct capture_options *o, bool *json, int *code);

/*
 * A subcommand that has no other options than where and -o text|json. `seen`: what has passed
 * unrecorded, as it was before the first record is read; NULL: only the state directory knows that,
 * and it was not named.
 */
int capture_over_all(const struct command *c, int argc, char **argv,
		     int (*what)(struct reader *r, const struct unrecorded_seen *seen, bool json));

/* Which exchanges are wanted; all members may be NULL. */
struct capture_filter {
	const char *from, *to, *path, *method, *status;
	uint64_t from_ns, to_ns; /* as read; wall time */
	unsigned least, most;	 /* of the status; 0: any */
};

#define FILTER_OPTIONS(f)                                                                          \
	{ 0, "from", &(f)->from, NULL }, { 0, "to", &(f)->to, NULL },                              \
		{ 0, "path", &(f)->path, NULL }, { 0, "method", &(f)->method, NULL },              \
	{                                                                                          \
		0, "status", &(f)->status, NULL                                                    \
	}

/* What keeps an exchange out: the first of these. */
enum capture_misfit {
	FITS,
	MISFIT_TIME,
	MISFIT_METHOD,
	MISFIT_PATH,
	MISFIT_STATUS,
	MISFITS,
};

/* False after a complaint. */
bool capture_filter_read(const struct command *c, struct capture_filter *f);
enum capture_misfit capture_misfit(const struct capture_filter *f, const struct story *s);

/* The subcommands: as commands, argv[0] is their name. */
int capture_ls(const struct command *c, int argc, char **argv);
int capture_cat(const struct command *c, int argc, char **argv);
int capture_verify(const struct command *c, int argc, char **argv);
int capture_gaps(const struct command *c, int argc, char **argv);
int capture_export(const struct command *c, int argc, char **argv);
int capture_followers(const struct command *c, int argc, char **argv);
int capture_drop_follower(const struct command *c, int argc, char **argv);

/* One exchange as an object; owned by the caller. */
struct json_t *story_json(const struct story *s, bool bodies);

#endif
