#include "app/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "capture/listing.h"
#include "capture/segment.h"
#include "control/config_read.h"
#include "control/duration.h"
#include "control/suggest.h"

#define WHERE                                                                                      \
	"  -c, --config FILE     the configuration, which names capture.directory\n"               \
	"      --directory DIR   the directory itself\n"
#define WHICH                                                                                      \
	"      --from TIME       exchanges from then on: 2026-11-24T05:00:00Z, or 10m (ago)\n"     \
	"      --to TIME         exchanges before then\n"                                          \
	"      --path PATTERN    a shell pattern: '/books/*'\n"                                    \
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
	  "      --from-sequence [SERIES:]N  exchanges from that record on; without\n"
	  "                        SERIES, of the newest series; -o json shows sequences\n"
	  "  -o, --output FORM     text (default), json, or raw: the messages themselves\n"
	  "      --bodies          in json: with the bodies\n"
	  "      --follow          keeps running, and shows new exchanges\n",
	  capture_cat },
	{ "capture verify", "(-c FILE | --directory DIR) [-o text|json]",
	  "Reads the whole log and checks every frame, checksum and sequence.",
	  WHERE "  -o, --output FORM     text (default) or json\n"
		"\nExit code 0: the log is whole. 1: it is damaged or cannot be read, or requests\n"
		"passed unrecorded and no gap reports them yet (only -c FILE can tell that).\n",
	  capture_verify },
	{ "capture gaps", "(-c FILE | --directory DIR) [-o text|json]",
	  "Lists what passed unrecorded, and the damage that starts have found.",
	  WHERE "  -o, --output FORM     text (default) or json\n"
		"\nWith -c FILE, also what no gap reports yet: the state directory has that.\n",
	  capture_gaps },
	{ "capture export",
	  "(-c FILE | --directory DIR) --format trafficstream|jsonl|har [--output FILE]\n"
	  "           [--from TIME] [--to TIME] [--path PATTERN] [--method METHOD] [--status "
	  "STATUS]\n"
	  "           [--follower NAME]",
	  "Writes the exchanges for other programs.",
	  WHERE WHICH "      --format FORMAT   trafficstream: gzip of key|base64 lines\n"
		      "  -o, --output FILE     a new file; default, and for -: standard output\n"
		      "      --follower NAME   only what NAME has not got yet; the log keeps\n"
		      "                        everything until NAME has it\n"
		      "\nStandard error says what was written, and what was left out and why.\n",
	  capture_export },
	{ "capture followers", "(-c FILE | --directory DIR) [-o text|json]",
	  "Lists the followers of the log, and how far behind each is.",
	  WHERE "  -o, --output FORM     text (default) or json\n", capture_followers },
	{ "capture drop-follower", "NAME (-c FILE | --directory DIR)",
	  "Removes a follower: the log keeps nothing for it any more.",
	  WHERE "\nA follower that is running is not removed.\n", capture_drop_follower },
};
#define COMMAND_N (sizeof commands / sizeof commands[0])

const struct command *commands_of_capture(size_t *n)
{
	*n = COMMAND_N;
	return commands;
}

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

/* --- the log's directory --- */

static char *configured_directory(const char *path)
{
	struct config *config = config_open(path);
	char *directory = NULL;
	if (config->diagnostics.n)
		diagnostics_print(&config->diagnostics, stderr);
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

static bool cannot_consume(const char *directory, const char *follower, enum follower_verdict v)
{
	const char *why = v == FOLLOWER_BUSY ? "another process is running as this follower"
					     : segment_error(errno);
	if (follower)
		fprintf(stderr, "crossfade capture: follower %s: %s\n", follower, why);
	else
		fprintf(stderr, "crossfade capture: cannot read %s: %s\n", directory, why);
	return false;
}

bool capture_consume(struct consumer *c, const char *directory, const char *follower)
{
	const struct consumer_config config = { .directory = directory, .name = follower };
	enum follower_verdict v = consumer_open(c, &config);
	if (v != FOLLOWER_OPEN)
		return cannot_consume(directory, follower, v);
	if (follower && c->follower.damaged)
		fprintf(stderr,
			"crossfade capture: %s/%s.follower is damaged: the follower's position "
			"is lost, and it gets all of the log again\n",
			directory, follower);
	return true;
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
	fprintf(stderr, "crossfade capture: cannot read %s: %s\n", reader_file(r),
		segment_error(errno));
	return EXIT_NO;
}

void capture_tell_holes(const struct reader *r)
{
	if (reader_holes(r))
		fprintf(stderr,
			"crossfade capture: %llu places in the log could not be read: "
			"`crossfade capture verify` says what is missing\n",
			(unsigned long long)reader_holes(r));
	if (reader_unknown(r))
		fprintf(stderr,
			"crossfade capture: %llu records of a newer version of crossfade were "
			"skipped\n",
			(unsigned long long)reader_unknown(r));
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

/*
 * The log has records, and the file with the counts of what it lacks cannot be read: some loss is
 * assumed.
 */
static void see_nothing(const struct config *c, int why, struct unrecorded_seen *seen)
{
	*seen = (struct unrecorded_seen){ 0 };
	if (why == ENOENT && !has_segments(c->capture.directory))
		return;
	fprintf(stderr,
		"crossfade capture: cannot read %s/" UNRECORDED_FILE
		": %s: it is not known what passed unrecorded and no gap reports\n",
		c->state, why == EPROTO ? "it is damaged" : strerror(why));
	seen->untold[GAP_UNAVAILABLE].uncertain = 1;
	seen->untold[GAP_UNAVAILABLE].last_wall_ns = clock_wall_ns();
}

/* False: no configuration names the state directory. */
static bool see_unrecorded(const struct capture_options *o, struct unrecorded_seen *seen)
{
	struct config *config = o->config ? config_open(o->config) : NULL;
	if (!config)
		return false;
	bool known = !config->diagnostics.n;
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

/* --- filters --- */

static bool read_time(const char *text, uint64_t *ns)
{
	uint64_t ms;
	if (!duration_read(text, &ms))
		return clock_read(text, ns);
	*ns = clock_wall_ns() - ms * 1000000;
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
		command_misused(c,
				"--from %s is not a time: write 2026-11-24T05:00:00Z, or 10m for "
				"10 minutes ago",
				f->from);
	else if (f->to && !read_time(f->to, &f->to_ns))
		command_misused(c,
				"--to %s is not a time: write 2026-11-24T05:00:00Z, or 10m for 10 "
				"minutes ago",
				f->to);
	else if (f->status && !read_status(f->status, &f->least, &f->most))
		command_misused(c, "--status %s is not a status: write 404, 5xx or 400-499",
				f->status);
	else
		return true;
	return false;
}

static bool pattern_matches(const char *pattern, struct span s)
{
	char *text = strndup(s.at ? s.at : "", s.n);
	bool good = text && !fnmatch(pattern, text, 0);
	free(text);
	return good;
}

enum capture_misfit capture_misfit(const struct capture_filter *f, const struct exchange_record *s)
{
	unsigned status = exchange_record_status(s);
	if (s->first.wall_ns < f->from_ns || s->first.wall_ns >= f->to_ns)
		return MISFIT_TIME;
	if (f->method && !span_is(exchange_record_method(s), span_of(f->method)))
		return MISFIT_METHOD;
	if (f->path && !pattern_matches(f->path, exchange_record_target(s)))
		return MISFIT_PATH;
	return !f->status || (status >= f->least && status <= f->most) ? FITS : MISFIT_STATUS;
}
