#include "app/terminal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/plain.h"

static bool is_terminal(FILE *to)
{
	return isatty(fileno(to)) == 1;
}

static ssize_t put_error(void *to, const char *at, size_t n)
{
	plain_put(at, n, to);
	return (ssize_t)n;
}

void terminal_guard_errors(void)
{
	FILE *guard =
		is_terminal(stderr)
			? fopencookie(stderr, "w", (cookie_io_functions_t){ .write = put_error })
			: NULL;
	if (!guard)
		return;
	setvbuf(guard, NULL, _IOLBF, BUFSIZ);
	stderr = guard;
}

void terminal_put(const char *at, size_t n, FILE *to)
{
	if (is_terminal(to))
		plain_put(at, n, to);
	else if (n)
		fwrite(at, 1, n, to);
}

void terminal_put_json(const json_t *j, FILE *to)
{
	char *text = is_terminal(to) ? json_dumps(j, JSON_COMPACT) : NULL;
	if (text)
		plain_put_json(text, to);
	else
		json_dumpf(j, to, JSON_COMPACT);
	free(text);
}
