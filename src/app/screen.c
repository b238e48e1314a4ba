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

static void screen_write(const char *bytes, size_t n)
{
	/* If the terminal is gone, nothing useful can be done. */
	if (write(STDOUT_FILENO, bytes, n) < 0)
		return;
}

/* Not in the background: there the keys belong to another process. */
static void screen_take_keys(struct screen *s)
{
	s->keys = tcgetpgrp(STDIN_FILENO) == getpgrp() && !tcgetattr(STDIN_FILENO, &s->before);
	if (!s->keys)
		return;
	struct termios ours = s->before;
	ours.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	ours.c_cc[VMIN] = 0;
	ours.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &ours);
}

/* Switches to the terminal's alternate page, without a cursor. */
void screen_enter(struct screen *s)
{
	static const char enter[] = "\033[?1049h\033[?25l\033[H\033[J";
	fflush(stdout);
	screen_write(enter, sizeof enter - 1);
	screen_take_keys(s);
}

void screen_leave(struct screen *s)
{
	static const char leave[] = "\033[0m\033[?25h\033[?1049l";
	screen_write(leave, sizeof leave - 1);
	if (s->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

char screen_key(const struct screen *s)
{
	char key;
	return s->keys && read(STDIN_FILENO, &key, 1) == 1 ? key : 0;
}

/* The width on the screen: escape sequences and continuation bytes of UTF-8 take none. */
static unsigned line_width(const char *line)
{
	unsigned n = 0;
	for (; *line && *line != '\n'; line++) {
		if (*line == '\033')
			line += strcspn(line, "m");
		else
			n += ((unsigned char)*line & 0xc0) != 0x80;
		if (!*line)
			break;
	}
	return n;
}

static unsigned page_lines(const char *page)
{
	unsigned n = 0;
	for (; *page; page++)
		n += *page == '\n' || !page[1];
	return n;
}

/* Escape sequences and continuation bytes of UTF-8 take no room. */
static const char *screen_draw_line(FILE *to, const char *line, unsigned columns)
{
	unsigned used = 0;
	bool cut = line_width(line) > columns;
	for (; *line && *line != '\n'; line++) {
		if (*line == '\033') {
			size_t n = strcspn(line, "m");
			fwrite(line, 1, n + (line[n] != 0), to);
			line += n - (line[n] == 0);
			continue;
		}
		used += ((unsigned char)*line & 0xc0) != 0x80;
		if (used + cut <= columns)
			putc(*line, to);
	}
	if (cut)
		putc('>', to);
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
	unsigned lines = page_lines(page);
	for (unsigned row = 0; *page && row < size.rows; row++) {
		if (row)
			fputs("\r\n", to);
		if (row + 1 == size.rows && lines > size.rows) {
			fprintf(to, "... %u more lines\033[K", lines - row);
			break;
		}
		page = screen_draw_line(to, page, size.columns);
		fputs("\033[0m\033[K", to);
	}
	fputs("\033[J", to);
	fclose(to);
	screen_write(bytes, n);
	free(bytes);
}
