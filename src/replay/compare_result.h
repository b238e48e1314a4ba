#ifndef REPLAY_COMPARE_RESULT_H
#define REPLAY_COMPARE_RESULT_H

/* What a comparison has found so far: numbers, and the first differences one by one. */

#include <jansson.h>

#include "replay/compare_judge.h"

struct compare_numbers {
	uint64_t expected; /* documents; a hint */
	uint64_t checked;  /* the sum of all that follow, but for `repaired` */
	uint64_t equal, different, missing, extra, moving, unknown;
	uint64_t repaired; /* among the equal ones */
	uint64_t indices;  /* that were compared */
	uint64_t around;   /* differences of indices and what belongs to them */
};

struct compare_result {
	struct compare_numbers n;
	json_t *differences; /* owned: the first COMPARE_TOLD_MAX */
	json_t *hints;	     /* owned: of texts */
};

void compare_result_begin(struct compare_result *r);
void compare_result_free(struct compare_result *r);

/* Of one document; `repaired`: it was copied meanwhile. */
void compare_result_take(struct compare_result *r, const struct judge_key *k,
			 enum judge_verdict verdict, const char *what, bool repaired);
/* Of an index, or of what belongs to no index (NULL): it differs, and `what` says how. */
void compare_result_around(struct compare_result *r, const char *index, const char *what);
/* Nobody can tell of that index. */
void compare_result_unknown(struct compare_result *r, const char *index, const char *what);
void compare_result_hint(struct compare_result *r, const char *text);

/* "equal", "different", "unknown". */
const char *compare_result_word(const struct compare_result *r);
/* New references. */
json_t *compare_result_numbers(const struct compare_result *r);

#endif
