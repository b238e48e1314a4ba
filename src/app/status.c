#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/client.h"
#include "app/paint.h"
#include "app/screen.h"
#include "app/status_text.h"
#include "app/terminal.h"
#include "base/clock.h"
#include "control/duration.h"

#define INTERVAL "1s"
#define INTERVAL_MS_MIN 100

/* One look after the other. */
struct watch {
	struct client *client;
	bool screen; /* a terminal is drawn on; else each look is printed below the one before */
	uint64_t interval_ms;
	json_t *now, *before; /* owned */
	uint64_t now_ns, before_ns;
	char trouble[FETCH_ERROR_BYTES]; /* why the last look failed; empty: it did not */
	int code;			 /* what to exit with then */
};

/* --- looking --- */

static bool look(struct watch *w)
{
	struct client_answer a;
	w->trouble[0] = 0;
	w->code = EXIT_UNREACHABLE;
	if (!client_try(w->client, "GET", "/v1/status", NULL, 0, &a, w->trouble))
		return false;
	if (a.status != 200 || !a.json) {
		snprintf(w->trouble, sizeof w->trouble, "the balancer answers with status %ld",
			 a.status);
		w->code = EXIT_NO;
		client_answer_free(&a);
		return false;
	}
	json_decref(w->before);
	w->before = w->now;
	w->before_ns = w->now_ns;
	w->now = json_incref(a.json);
	w->now_ns = clock_monotonic_ns();
	client_answer_free(&a);
	return true;
}

static void write_page(const struct watch *w, FILE *to, struct screen_size room)
{
	bool rates = status_is_comparable(w->before, w->now);
	status_text(to, &(struct status_view){
				.now = w->now,
				.before = rates ? w->before : NULL,
				.seconds = (double)(w->now_ns - w->before_ns) / 1e9,
				.columns = room.columns,
				.rows = room.rows,
			});
}

/* --- showing --- */

/* The last page stays while nobody answers, under the reason. */
static void draw(const struct watch *w)
{
	struct screen_size size = screen_size();
	char *page = NULL;
	size_t n;
	FILE *to = open_memstream(&page, &n);
	if (!to)
		return;
	if (w->trouble[0])
		fprintf(to, "%s%s%s\n", paint(PAINT_RED), w->trouble, paint(PAINT_NONE));
	if (w->now)
		write_page(w, to,
			   (struct screen_size){ size.columns, size.rows - (w->trouble[0] != 0) });
	fclose(to);
	screen_draw(page, size);
	free(page);
}

static void print(const struct watch *w)
{
	if (w->client->json) {
		terminal_put_json(w->now, stdout);
		putchar('\n');
	} else {
		write_page(w, stdout, (struct screen_size){ 80, UINT32_MAX });
	}
	fflush(stdout);
}

static int print_once(struct watch *w)
{
	if (look(w)) {
		print(w);
		return EXIT_OK;
	}
	fprintf(stderr, "crossfade status: %s\n", w->trouble);
	return w->code;
}

/* --- watching --- */

/* What is told to stop puts the terminal back; a new size is drawn at once. */
static void hear(sigset_t *heard)
{
	sigemptyset(heard);
	sigaddset(heard, SIGINT);
	sigaddset(heard, SIGTERM);
	sigaddset(heard, SIGHUP);
	sigaddset(heard, SIGWINCH);
	sigprocmask(SIG_BLOCK, heard, NULL);
}

/* False when it is to stop. */
static bool rest(const struct watch *w, const sigset_t *heard)
{
	uint64_t until_ns = clock_monotonic_ns() + w->interval_ms * 1000000, now_ns;
	while ((now_ns = clock_monotonic_ns()) < until_ns) {
		uint64_t left_ns = until_ns - now_ns;
		struct timespec t = { (time_t)(left_ns / 1000000000u),
				      (long)(left_ns % 1000000000u) };
		int got = sigtimedwait(heard, NULL, &t);
		if (got == SIGWINCH && w->screen)
			draw(w);
		else if (got > 0 && got != SIGWINCH)
			return false;
	}
	return true;
}

static int watch_on_screen(struct watch *w, const sigset_t *heard)
{
	screen_enter();
	do {
		look(w);
		draw(w);
	} while (rest(w, heard));
	screen_leave();
	return EXIT_OK;
}

static int watch_in_lines(struct watch *w, const sigset_t *heard)
{
	int code;
	while ((code = print_once(w)) == EXIT_OK && !ferror(stdout) && rest(w, heard))
		if (!w->client->json)
			putchar('\n');
	return code;
}

static int watch(struct watch *w)
{
	sigset_t heard;
	const char *term = getenv("TERM");
	w->screen = isatty(STDOUT_FILENO) && !w->client->json && term && strcmp(term, "dumb") != 0;
	hear(&heard);
	return w->screen ? watch_on_screen(w, &heard) : watch_in_lines(w, &heard);
}

/* --- the command --- */

int command_status(const struct command *c, int argc, char **argv)
{
	struct client_options o = { 0 };
	const char *interval = INTERVAL;
	bool watching = false;
	const struct command_option options[] = { CLIENT_OPTIONS(&o),
						  { 0, "watch", NULL, &watching },
						  { 0, "interval", &interval, NULL } };
	int code, operands = command_options(c, argc, argv, options, 5, &code);
	struct watch w = { 0 };
	struct client t;
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!duration_read(interval, &w.interval_ms) || w.interval_ms < INTERVAL_MS_MIN)
		return command_misused(c, "--interval: '%s' is not a duration of at least 100ms",
				       interval);
	if (!client_open(&t, c, &o, &code))
		return code;
	w.client = &t;
	code = watching ? watch(&w) : print_once(&w);
	json_decref(w.now);
	json_decref(w.before);
	client_close(&t);
	return code;
}
