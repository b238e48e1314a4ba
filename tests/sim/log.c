#include "base/log.h"

/* Replaces the product's own: a world whose clients are turned away would log for every seed. */

void log_line(enum log_level level, const char *format, ...)
{
	(void)level, (void)format;
}
