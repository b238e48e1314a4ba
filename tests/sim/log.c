#include "base/log.h"

/* In place of the product's own: a world of turned away clients would say so, seed after seed. */

void log_line(enum log_level level, const char *format, ...)
{
	(void)level, (void)format;
}
