#include "base/err.h"

#include "base/bug.h"

static const struct {
	enum side side;
	int status;
	const char *word, *sentence;
} rows[ERRS] = {
#define ERR(name, side, status, word, sentence)                                                    \
	[ERR_##name] = { SIDE_##side, status, word, sentence },
#include "base/err.def"
#undef ERR
};

enum side err_side(enum err e)
{
	must(e < ERRS);
	return rows[e].side;
}

int err_status(enum err e)
{
	must(e < ERRS);
	return rows[e].status;
}

const char *err_word(enum err e)
{
	must(e < ERRS);
	return rows[e].word;
}

const char *err_sentence(enum err e)
{
	must(e < ERRS);
	return rows[e].sentence;
}

enum err err_find(struct span word)
{
	for (int e = ERR_NONE + 1; e < ERRS; e++)
		if (span_is(word, span_of(rows[e].word)))
			return (enum err)e;
	return ERR_NONE;
}
