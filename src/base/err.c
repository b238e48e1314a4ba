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
