#include "app/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct screen_size screen_size(void)
{
	struct winsize w;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_col || !w.ws_row)
		return (struct screen_size){ 80, 24 };
	return (struct screen_size){ w.ws_col, w.ws_row };
}

static void say(const char *bytes, size_t n)
{
	/* Nothing useful can be done when the terminal is gone. */
	if (write(STDOUT_FILENO, bytes, n) < 0)
		return;
}

/* The other page, without a cursor. */
void screen_enter(void)
{
	static const char enter[] = "\033[?1049h\033[?25l\033[H\033[J";
	fflush(stdout);
	say(enter, sizeof enter - 1);
}

void screen_leave(void)
{
	static const char leave[] = "\033[0m\033[?25h\033[?1049l";
	say(leave, sizeof leave - 1);
}

/* An escape sequence takes no room, and neither do the further bytes of a character. */
static const char *draw_line(FILE *to, const char *line, unsigned columns)
{
	unsigned used = 0;
	for (; *line && *line != '\n'; line++) {
		if (*line == '\033') {
			size_t n = strcspn(line, "m");
			fwrite(line, 1, n + (line[n] != 0), to);
			line += n - (line[n] == 0);
			continue;
		}
		used += ((unsigned char)*line & 0xc0) != 0x80;
		if (used <= columns)
			putc(*line, to);
	}
	return line + (*line == '\n');
}

void screen_draw(const char *page, struct screen_size size)
{
	char *bytes = NULL;
	size_t n;
	FILE *to = open_memstream(&bytes, &n);
	if (!to)
		return;
	fputs("\033[H", to);
	for (unsigned row = 0; *page && row < size.rows; row++) {
		if (row)
			fputs("\r\n", to);
		page = draw_line(to, page, size.columns);
		fputs("\033[0m\033[K", to);
	}
	fputs("\033[J", to);
	fclose(to);
	say(bytes, n);
	free(bytes);
}
