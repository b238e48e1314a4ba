#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
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
/* How long --watch waits for a response. Signals and keys are not handled meanwhile. */
#define WATCH_TIMEOUT_S 2L

/* The state of `status`, with or without --watch. */
struct watch {
	struct client *client;
	bool on_screen; /* draws on a terminal; otherwise prints one status below the other */
	struct screen screen;
	bool keys_ended; /* keys cannot be read any more */
	int signals;	 /* a signalfd */
	uint64_t interval_ms;
	json_t *now, *before; /* owned */
	uint64_t now_ns, before_ns;
	char trouble[FETCH_ERROR_BYTES]; /* why the last look failed; empty: it succeeded */
	int code;			 /* the exit code of the last look, if it failed */
};

/* --- looking --- */

static bool watch_look(struct watch *w)
{
	struct client_response a;
	w->trouble[0] = 0;
	w->code = EXIT_UNREACHABLE;
	if (!client_try(w->client, "GET", "/v1/status", NULL, 0, &a, w->trouble))
		return false;
	if (a.status != 200 || !a.json) {
		client_tell_refusal(w->client, &a, w->trouble);
		w->code = EXIT_NO;
		client_response_free(&a);
		return false;
	}
	json_decref(w->before);
	w->before = w->now;
	w->before_ns = w->now_ns;
	w->now = json_incref(a.json);
	w->now_ns = clock_monotonic_ns();
	client_response_free(&a);
	return true;
}

static double watch_age_seconds(const struct watch *w)
{
	return (double)(clock_monotonic_ns() - w->now_ns) / 1e9;
}

static void watch_write_page(const struct watch *w, FILE *to, struct screen_size room)
{
	bool rates = status_is_comparable(w->before, w->now);
	status_text(to, &(struct status_view){
				.now = w->now,
				.before = rates ? w->before : NULL,
				.seconds = (double)(w->now_ns - w->before_ns) / 1e9,
				.columns = room.columns,
				.rows = room.rows,
				.stale_seconds = w->trouble[0] ? watch_age_seconds(w) : 0,
			});
}

/* --- showing --- */

/* While the balancer does not respond, the last page stays, below the reason. */
static void watch_draw(const struct watch *w)
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
		watch_write_page(
			w, to,
			(struct screen_size){ size.columns, size.rows - (w->trouble[0] != 0) });
	fclose(to);
	screen_draw(page, size);
	free(page);
}

static void watch_print(const struct watch *w)
{
	if (w->client->json) {
		terminal_put_json(w->now, stdout);
		putchar('\n');
	} else {
		watch_write_page(w, stdout, (struct screen_size){ 80, UINT32_MAX });
	}
	fflush(stdout);
}

static int watch_print_once(struct watch *w)
{
	if (watch_look(w)) {
		watch_print(w);
		return EXIT_OK;
	}
	fprintf(stderr, "crossfade status: %s\n", w->trouble);
	return w->code;
}

/* --- watching --- */

/*
 * Blocks the signals and returns a signalfd for them: before it ends, the command must restore the
 * terminal, and a new size must be drawn at once.
 */
static int watch_hear_signals(bool screen)
{
	sigset_t heard;
	sigemptyset(&heard);
	sigaddset(&heard, SIGINT);
	sigaddset(&heard, SIGTERM);
	sigaddset(&heard, SIGHUP);
	sigaddset(&heard, SIGWINCH);
	if (screen)
		sigaddset(&heard, SIGTSTP);
	sigprocmask(SIG_BLOCK, &heard, NULL);
	return signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Ctrl-Z: restores the terminal for the shell until the process is continued. */
static void sleep_behind_shell(struct watch *w)
{
	screen_leave(&w->screen);
	raise(SIGSTOP);
	screen_enter(&w->screen);
	watch_draw(w);
}

/* False when the command must end. */
static bool watch_obey_signal(struct watch *w)
{
	struct signalfd_siginfo s;
	if (read(w->signals, &s, sizeof s) != sizeof s)
		return true;
	if (s.ssi_signo == SIGTSTP)
		sleep_behind_shell(w);
	else if (s.ssi_signo != SIGWINCH)
		return false;
	else if (w->on_screen)
		watch_draw(w);
	return true;
}

static bool watch_obey_key(struct watch *w, short events)
{
	char key = events & POLLIN ? screen_key(&w->screen) : 0;
	/* The terminal is gone or at its end: it is not polled any more. */
	if (events && !key)
		w->keys_ended = true;
	return key != 'q' && key != 'Q';
}

/* Waits for the next interval. False when the command must end. */
static bool watch_pause(struct watch *w)
{
	uint64_t until_ns = clock_monotonic_ns() + w->interval_ms * 1000000, now_ns;
	bool going_on = true;
	while (going_on && (now_ns = clock_monotonic_ns()) < until_ns) {
		int left_ms = (int)((until_ns - now_ns + 999999) / 1000000);
		bool keys = w->on_screen && w->screen.keys && !w->keys_ended;
		struct pollfd fds[2] = { { .fd = w->signals, .events = POLLIN },
					 { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN } };
		if (poll(fds, 2, left_ms) <= 0)
			continue;
		going_on = watch_obey_signal(w) && watch_obey_key(w, fds[1].revents);
	}
	return going_on;
}

static int watch_on_screen(struct watch *w)
{
	screen_enter(&w->screen);
	do {
		watch_look(w);
		watch_draw(w);
	} while (watch_pause(w));
	screen_leave(&w->screen);
	return EXIT_OK;
}

static int watch_in_lines(struct watch *w)
{
	int code;
	while ((code = watch_print_once(w)) == EXIT_OK && !ferror(stdout) && watch_pause(w))
		if (!w->client->json)
			putchar('\n');
	return code;
}

static int watch_run(struct watch *w)
{
	const char *term = getenv("TERM");
	w->on_screen =
		isatty(STDOUT_FILENO) && !w->client->json && term && strcmp(term, "dumb") != 0;
	w->signals = watch_hear_signals(w->on_screen);
	/* A page must not become old without a word on it. */
	w->client->timeout_s = WATCH_TIMEOUT_S;
	int code = w->on_screen ? watch_on_screen(w) : watch_in_lines(w);
	close(w->signals);
	return code;
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
	int code, operands = command_options(c, argc, argv, OPTIONS(options), &code);
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
	code = watching ? watch_run(&w) : watch_print_once(&w);
	json_decref(w.now);
	json_decref(w.before);
	client_close(&t);
	return code;
}
