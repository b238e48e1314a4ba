#include "app/paint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int paint_is_wanted(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && (!no || !*no) && term && strcmp(term, "dumb") != 0;
}

const char *paint(enum paint p)
{
	static const char *const begin[] = { "\033[0m",	 "\033[1m",  "\033[32m",
					     "\033[33m", "\033[31m", "\033[2m" };
	return paint_is_wanted() ? begin[p] : "";
}

const char *paint_good(int good)
{
	return paint(good ? PAINT_GREEN : PAINT_RED);
}
