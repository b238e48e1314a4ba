#include "control/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bug.h"
#include "base/limits.h"

struct pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* The input is bytes, whatever options the pattern itself asks for. */
#define OPTIONS                                                                                    \
	(PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT)

static pcre2_code *pattern_compile(const char *text, int *error, size_t *at)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	must(c);
	pcre2_set_max_pattern_length(c, PATTERN_BYTES);
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, OPTIONS, error, at, c);
	pcre2_compile_context_free(c);
	return code;
}

struct pattern *pattern_open(const char *text, char error[PATTERN_ERROR_BYTES], size_t *at)
{
	int why;
	*at = 0;
	pcre2_code *code = pattern_compile(text, &why, at);
	if (!code) {
		pcre2_get_error_message(why, (PCRE2_UCHAR *)error, PATTERN_ERROR_BYTES);
		return NULL;
	}
	/* Without memory for machine code the pattern is interpreted, with the same results. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	struct pattern *p = calloc(1, sizeof *p);
	must(p);
	p->code = code;
	p->data = pcre2_match_data_create_from_pattern(code, NULL);
	p->context = pcre2_match_context_create(NULL);
	must(p->data && p->context);
	pcre2_set_match_limit(p->context, PATTERN_STEPS_MAX);
	pcre2_set_heap_limit(p->context, PATTERN_HEAP_KIB);
	return p;
}

void pattern_close(struct pattern *p)
{
	if (!p)
		return;
	pcre2_match_context_free(p->context);
	pcre2_match_data_free(p->data);
	pcre2_code_free(p->code);
	free(p);
}

/* The time of this thread only: a text is not to blame when other threads use the processor. */
static uint64_t processor_us(void)
{
	struct timespec t;
	must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * PCRE2 begins to count steps again at each place where a match may begin. A text of 64 KiB may
 * therefore take 65,536 times the limit. So it searches only a few places at a time.
 */
enum match pattern_find(struct pattern *p, struct span text)
{
	PCRE2_SPTR at = (PCRE2_SPTR)(text.at ? text.at : "");
	uint64_t until_us = processor_us() + PATTERN_SEARCH_US;
	for (size_t from = 0; from <= text.n; from += PATTERN_PLACES) {
		pcre2_set_offset_limit(p->context, from + PATTERN_PLACES - 1);
		int n = pcre2_match(p->code, at, text.n, from, 0, p->data, p->context);
		if (n >= 0)
			return MATCH_YES;
		if (n != PCRE2_ERROR_NOMATCH || processor_us() > until_us)
			return MATCH_TOO_COSTLY;
	}
	return MATCH_NO;
}
