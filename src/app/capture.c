#include "app/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/listing.h"
#include "control/config.h"
#include "control/duration.h"
#include "control/suggest.h"

#define WHERE                                                                                      \
	"  -c, --config FILE     the configuration, whose capture.directory is meant\n"            \
	"      --directory DIR   the directory itself\n"
#define WHICH                                                                                      \
	"      --from TIME       what came then or later: 2026-11-24T05:00:00Z, or 10m: ago\n"     \
	"      --to TIME         what came before that\n"                                          \
	"      --path PATTERN    as a shell's: '/books/*'\n"                                       \
	"      --method METHOD\n"                                                                  \
	"      --status STATUS   404, 5xx, 400-499\n"

static const struct command commands[] = {
	{ "capture ls", "(-c FILE | --directory DIR) [-o text|json]", "Lists the segments.",
	  WHERE "  -o, --output FORM     text (default) or json\n", capture_ls },
	{ "capture cat",
	  "(-c FILE | --directory DIR) [--from TIME | --from-sequence [SERIES:]N] [--to TIME]\n"
	  "           [--path PATTERN] [--method METHOD] [--status STATUS] [-o text|json|raw]\n"
	  "           [--bodies] [--follow]",
	  "Shows the exchanges, a line each, in the order in which they ended.",
	  WHERE WHICH
	  "      --from-sequence [SERIES:]N  what begins with that record or later; without\n"
	  "                        SERIES of the newest one; json says an exchange's\n"
	  "  -o, --output FORM     text (default), json, or raw: the messages themselves\n"
	  "      --bodies          in json: with the bodies\n"
	  "      --follow          goes on with what comes\n",
	  capture_cat },
	{ "capture verify", "(-c FILE | --directory DIR) [-o text|json]",
	  "Reads all of it: every frame, every checksum, every sequence.",
	  WHERE "  -o, --output FORM     text (default) or json\n"
		"\nExit code 0: it is whole, 1: it is damaged, cannot be read, or does not tell\n"
		"yet of what passed unrecorded (with -c FILE: the state directory has that).\n",
	  capture_verify },
	{ "capture gaps", "(-c FILE | --directory DIR) [-o text|json]",
	  "Lists what passed without being recorded, and what a start found damaged.",
	  WHERE "  -o, --output FORM     text (default) or json\n"
		"\nWith -c FILE also what the log cannot tell yet: the state directory has it.\n",
	  capture_gaps },
	{ "capture export",
	  "(-c FILE | --directory DIR) --format trafficstream|jsonl|har [--output FILE]\n"
	  "           [--from TIME] [--to TIME] [--path PATTERN] [--method METHOD] [--status "
	  "STATUS]\n"
	  "           [--follower NAME]",
	  "Writes the exchanges for other programs.",
	  WHERE WHICH
	  "      --format FORMAT   trafficstream: gzip of key|base64 lines\n"
	  "  -o, --output FILE     standard output unless it is given, or for -\n"
	  "      --follower NAME   what NAME has not got yet; nothing is taken away\n"
	  "                        before NAME has it\n"
	  "\nWhat was written, and what was left out and why, is said on standard error.\n",
	  capture_export },
	{ "capture followers", "(-c FILE | --directory DIR) [-o text|json]",
	  "Lists who follows the log, and how far behind it is.",
	  WHERE "  -o, --output FORM     text (default) or json\n", capture_followers },
	{ "capture drop-follower", "NAME (-c FILE | --directory DIR)",
	  "Takes a follower out: nothing is kept for it any more.",
	  WHERE "\nOne that is at work is not taken out.\n", capture_drop_follower },
};
#define COMMAND_N (sizeof commands / sizeof commands[0])

/* --- the command --- */

static const char *last_word(const struct command *c)
{
	return strchr(c->name, ' ') + 1;
}

int command_capture(const struct command *c, int argc, char **argv)
{
	struct suggestion near;
	if (argc < 2)
		return command_misused(c, "one of ls, cat, verify, gaps, export, "
					  "followers and drop-follower is expected");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		command_print_help(c);
		return EXIT_OK;
	}
	suggest_open(&near, argv[1]);
	for (size_t i = 0; i < COMMAND_N; i++) {
		if (!strcmp(argv[1], last_word(&commands[i])))
			return commands[i].run(&commands[i], argc - 1, argv + 1);
		suggest_consider(&near, last_word(&commands[i]));
	}
	if (near.word)
		return command_misused(c, "'%s' is not known; did you mean %s?", argv[1],
				       near.word);
	return command_misused(c, "'%s' is not known", argv[1]);
}

/* --- where --- */

static char *configured_directory(const char *path)
{
	struct config *config = config_open(path);
	char *directory = NULL;
	if (config->complaints.n)
		complaints_print(&config->complaints, stderr);
	else if (config->capture.head.at == NOWHERE)
		fprintf(stderr, "crossfade capture: %s has no section 'capture'\n", path);
	else
		directory = strdup(config->capture.directory);
	config_close(config);
	return directory;
}

char *capture_directory(const struct command *c, const struct capture_options *o, int *code)
{
	*code = EXIT_NO;
	if (!o->config != !o->directory)
		return o->config ? configured_directory(o->config) : strdup(o->directory);
	*code = command_misused(c, "either -c FILE or --directory DIR is expected");
	return NULL;
}

struct reader *capture_open(const struct command *c, const struct capture_options *o, int *code)
{
	char *directory = capture_directory(c, o, code);
	struct reader *r = directory ? reader_open(directory) : NULL;
	if (directory && !r)
		fprintf(stderr, "crossfade capture: cannot read %s: %s\n", directory,
			strerror(errno));
	free(directory);
	return r;
}

int capture_failed(const struct reader *r)
{
	fprintf(stderr, "crossfade capture: cannot read %s: %s\n", reader_file(r), strerror(errno));
	return EXIT_NO;
}

void capture_tell_holes(const struct reader *r)
{
	if (reader_holes(r))
		fprintf(stderr,
			"crossfade capture: %llu times something could not be read: `crossfade "
			"capture verify` says what is missing\n",
			(unsigned long long)reader_holes(r));
}

bool capture_takes_no_more(const struct command *c, int argc, char **argv,
			   struct capture_options *o, bool *json, int *code)
{
	const struct command_option options[] = { CAPTURE_OPTIONS(o),
						  { 'o', "output", &o->output, NULL } };
	int operands = command_options(c, argc, argv, options, 3, code);
	if (operands < 0)
		return false;
	*code = operands > 0 ? command_misused(c, "'%s' is not expected here", argv[1])
			     : EXIT_USAGE;
	return !operands && command_wants_json(c, o->output, json);
}

static bool has_segments(const char *path)
{
	struct listing all;
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool read = directory >= 0 && listing_read(&all, directory), some = read && all.n > 0;
	if (read)
		listing_free(&all);
	if (directory >= 0)
		close(directory);
	return some;
}

/* Of a log that has something, and counts of what it lacks that are not there: some, for all we
 * know. */
static void see_nothing(const struct config *c, int why, struct unrecorded_seen *seen)
{
	*seen = (struct unrecorded_seen){ 0 };
	if (why == ENOENT && !has_segments(c->capture.directory))
		return;
	fprintf(stderr,
		"crossfade capture: cannot read %s/" UNRECORDED_FILE
		": %s: what passed unrecorded, and no gap tells of, is not known\n",
		c->state, why == EPROTO ? "it is damaged" : strerror(why));
	seen->untold[GAP_UNAVAILABLE].uncertain = 1;
	seen->untold[GAP_UNAVAILABLE].last_wall_ns = clock_wall_ns();
}

/* False: the state directory was not named. */
static bool see_unrecorded(const struct capture_options *o, struct unrecorded_seen *seen)
{
	struct config *config = o->config ? config_open(o->config) : NULL;
	if (!config)
		return false;
	bool known = !config->complaints.n;
	int directory = known ? open(config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (known && (directory < 0 || !unrecorded_look(directory, seen)))
		see_nothing(config, errno, seen);
	if (directory >= 0)
		close(directory);
	config_close(config);
	return known;
}

int capture_over_all(const struct command *c, int argc, char **argv,
		     int (*what)(struct reader *r, const struct unrecorded_seen *seen, bool json))
{
	struct unrecorded_seen seen;
	struct capture_options o = { 0 };
	bool json;
	int code;
	if (!capture_takes_no_more(c, argc, argv, &o, &json, &code))
		return code;
	struct reader *r = capture_open(c, &o, &code);
	if (!r)
		return code;
	bool sees = see_unrecorded(&o, &seen);
	code = what(r, sees ? &seen : NULL, json);
	reader_close(r);
	return code;
}

/* --- which --- */

static bool read_time(const char *text, uint64_t *ns)
{
	struct tm t = { 0 };
	uint64_t ms;
	if (duration_read(text, &ms)) {
		*ns = clock_wall_ns() - ms * 1000000;
		return true;
	}
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
	char *fraction = NULL;
	double part = end && *end == '.' ? strtod(end, &fraction) : 0;
	end = fraction ? fraction : end;
	if (!end || (*end && strcmp(end, "Z") != 0))
		return false;
	*ns = (uint64_t)timegm(&t) * 1000000000u + (uint64_t)(part * 1e9);
	return true;
}

/* 404, 4xx, 400-499 */
static bool read_status(const char *text, unsigned *least, unsigned *most)
{
	char *end;
	*least = *most = (unsigned)strtoul(text, &end, 10);
	if (*least >= 1 && *least <= 9 && !strcmp(end, "xx")) {
		*least *= 100;
		*most = *least + 99;
		return true;
	}
	if (*end == '-')
		*most = (unsigned)strtoul(end + 1, &end, 10);
	return !*end && *least >= 100 && *least <= *most && *most <= 999;
}

bool capture_filter_read(const struct command *c, struct capture_filter *f)
{
	f->to_ns = UINT64_MAX;
	if (f->from && !read_time(f->from, &f->from_ns))
		command_misused(c, "--from %s is no time: 2026-11-24T05:00:00Z, or 10m for ago",
				f->from);
	else if (f->to && !read_time(f->to, &f->to_ns))
		command_misused(c, "--to %s is no time: 2026-11-24T05:00:00Z, or 10m for ago",
				f->to);
	else if (f->status && !read_status(f->status, &f->least, &f->most))
		command_misused(c, "--status %s is none: 404, 5xx, 400-499", f->status);
	else
		return true;
	return false;
}

static bool matches(const char *pattern, struct span s)
{
	char *text = strndup(s.at ? s.at : "", s.n);
	bool good = text && !fnmatch(pattern, text, 0);
	free(text);
	return good;
}

enum capture_misfit capture_misfit(const struct capture_filter *f, const struct story *s)
{
	unsigned status = story_status(s);
	if (s->first.wall_ns < f->from_ns || s->first.wall_ns >= f->to_ns)
		return MISFIT_TIME;
	if (f->method && !span_is(story_method(s), span_of(f->method)))
		return MISFIT_METHOD;
	if (f->path && !matches(f->path, story_target(s)))
		return MISFIT_PATH;
	return !f->status || (status >= f->least && status <= f->most) ? FITS : MISFIT_STATUS;
}
