#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/capture.h"
#include "app/paint.h"
#include "app/terminal.h"
#include "base/clock.h"
#include "capture/follower.h"
#include "capture/lag.h"

static double seconds_behind(const struct lag *l)
{
	uint64_t now_ns = clock_wall_ns();
	return l->wall_ns && now_ns > l->wall_ns ? (double)(now_ns - l->wall_ns) / 1e9 : 0;
}

static void follower_print(const struct follower_seen *f, const struct lag *l)
{
	char at[CLOCK_TEXT_BYTES] = "nothing yet";
	if (f->position.wall_ns)
		clock_text(f->position.wall_ns, at);
	printf("%-32s  %-24s  %10llu  %9.0f%s\n", f->name, at, (unsigned long long)l->records,
	       seconds_behind(l), f->damaged ? "  its position is damaged" : "");
}

static void follower_print_json(const struct follower_seen *f, const struct lag *l)
{
	char at[CLOCK_TEXT_BYTES];
	clock_text(f->position.wall_ns, at);
	json_t *j = json_pack("{s:s,s:o,s:I,s:f,s:b}", "name", f->name, "position",
			      f->position.wall_ns ? json_string(at) : json_null(), "lag_records",
			      (json_int_t)l->records, "lag_seconds", seconds_behind(l), "damaged",
			      f->damaged);
	terminal_put_json(j, stdout);
	putchar('\n');
	json_decref(j);
}

static bool followers_list(int directory, bool json)
{
	struct followers all;
	struct lag lag;
	bool good = followers_look(&all, directory);
	if (good && !json && !all.n)
		printf("The log has no followers.\n");
	else if (good && !json)
		printf("%s%-32s  %-24s  %10s  %9s%s\n", paint(PAINT_DIM), "NAME", "PASSED",
		       "RECORDS", "SECONDS", paint(PAINT_NONE));
	for (size_t i = 0; good && i < all.n; i++) {
		good = lag_look(directory, &all.list[i].position, &lag);
		if (good)
			(json ? follower_print_json : follower_print)(&all.list[i], &lag);
	}
	followers_free(&all);
	return good;
}

int capture_followers(const struct command *c, int argc, char **argv)
{
	struct capture_options o = { 0 };
	bool json;
	int code;
	if (!capture_takes_no_more(c, argc, argv, &o, &json, &code))
		return code;
	char *path = capture_directory(c, &o, &code);
	if (!path)
		return code;
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = directory >= 0 && followers_list(directory, json);
	if (!good)
		fprintf(stderr, "crossfade capture: cannot read %s: %s\n", path, strerror(errno));
	if (directory >= 0)
		close(directory);
	free(path);
	return good ? EXIT_OK : EXIT_NO;
}

static int follower_drop_named(const char *directory, const char *name)
{
	switch (follower_drop(directory, name)) {
	case FOLLOWER_OPEN:
		printf("%s is no longer a follower of the log.\n", name);
		return EXIT_OK;
	case FOLLOWER_BUSY:
		fprintf(stderr,
			"crossfade capture: a process is running as follower %s: stop it first\n",
			name);
		break;
	case FOLLOWER_ERROR:
		fprintf(stderr, "crossfade capture: %s: %s\n", name,
			errno == ENOENT ? "there is no such follower" : strerror(errno));
		break;
	}
	return EXIT_NO;
}

int capture_drop_follower(const struct command *c, int argc, char **argv)
{
	struct capture_options o = { 0 };
	const struct command_option options[] = { CAPTURE_OPTIONS(&o) };
	int code, operands = command_options(c, argc, argv, options, 2, &code);
	if (operands < 0)
		return code;
	if (operands != 1 || !follower_name_is_good(argv[1]))
		return command_misused(c, "the name of one follower is expected");
	char *directory = capture_directory(c, &o, &code);
	if (!directory)
		return code;
	code = follower_drop_named(directory, argv[1]);
	free(directory);
	return code;
}
