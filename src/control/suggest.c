#include "control/suggest.h"

#include <string.h>

#include "base/least.h"

#define WORD_BYTES 48

/*
 * The number of letters to insert, delete, change, or swap with their neighbour to make `a` from
 * `b` (optimal string alignment). Only three rows of the table are kept.
 */
static size_t word_distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
	size_t rows[3][WORD_BYTES + 1];
	for (size_t j = 0; j <= b_n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3],
		       *two_above = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b_n; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1,
				       above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_n % 3][b_n];
}

void suggest_open(struct suggestion *s, const char *meant)
{
	*s = (struct suggestion){ .meant = meant, .distance = (size_t)-1 };
}

void suggest_consider(struct suggestion *s, const char *word)
{
	size_t meant_n = strlen(s->meant), word_n = strlen(word);
	if (meant_n > WORD_BYTES || word_n > WORD_BYTES)
		return;
	size_t d = word_distance(s->meant, meant_n, word, word_n);
	/* A third of the letters may be wrong. Beyond that a suggestion would be a guess. */
	if (d < s->distance && d <= 1 + (word_n - 1) / 3) {
		s->word = word;
		s->distance = d;
	}
}
