#include "base/err.h"

#include "base/bug.h"

static const struct {
	int status;
	const char *word, *sentence;
} rows[ERRS] = {
#define ERR(name, status, word, sentence) [ERR_##name] = { status, word, sentence },
#include "base/err.def"
#undef ERR
};

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
