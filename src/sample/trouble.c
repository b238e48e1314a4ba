#include "sample/trouble.h"

#include <stdarg.h>
#include <stdio.h>

/* What is cut in the midst of a character, or quotes a broken request, is no UTF-8. */
static void trouble_mend(char *text)
{
	json_t *j = json_string(text);
	if (!j)
		for (; *text; text++)
			if ((unsigned char)*text >= 0x80)
				*text = '?';
	json_decref(j);
}

bool sample_refuse(struct sample_trouble *t, unsigned status, const char *type, const char *format,
		   ...)
{
	va_list arguments;
	t->status = status;
	t->type = type;
	va_start(arguments, format);
	vsnprintf(t->reason, sizeof t->reason, format, arguments);
	va_end(arguments);
	trouble_mend(t->reason);
	return false;
}

void sample_trouble_write(struct sample_text *to, const struct sample_trouble *t)
{
	SAMPLE_ADD(to, "{");
	sample_text_member(to, SPAN("type"), span_of(t->type));
	sample_text_member(to, SPAN("reason"), span_of(t->reason));
	SAMPLE_ADD(to, "}");
}

void sample_trouble_respond(struct sample_text *to, const struct sample_trouble *t)
{
	SAMPLE_ADD(to, "{\"error\":{\"root_cause\":[");
	sample_trouble_write(to, t);
	SAMPLE_ADD(to, "]");
	sample_text_member(to, SPAN("type"), span_of(t->type));
	sample_text_member(to, SPAN("reason"), span_of(t->reason));
	SAMPLE_ADD(to, "}");
	sample_text_count(to, SPAN("status"), t->status);
	SAMPLE_ADD(to, "}");
}
