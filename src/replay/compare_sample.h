#ifndef REPLAY_COMPARE_SAMPLE_H
#define REPLAY_COMPARE_SAMPLE_H

/*
 * Some documents of an index, at random: of each shard a few runs of documents that follow each
 * other by sequence number, from random places on. So a search needs no score, and documents that
 * were written together are looked at together; those behind many deletions come more often. An
 * index that was written no more often than that is looked at as a whole.
 */

#include "replay/ask.h"

struct sampler;

struct sampler_config {
	enum arm arm;
	uint64_t seed;
	/* As id_pages_config. */
	bool (*each)(void *user, struct span index, struct span id, struct span routing);
	void (*over)(void *user, const char *why);
	void *user;
};

struct sampler *sampler_open(struct subrequests *s, const struct sampler_config *c);
/* As ask_close(). */
void sampler_close(struct sampler *s);

/* So many documents of a concrete index. */
void sampler_begin(struct sampler *s, const char *index, uint32_t n);
/* There is room again. */
void sampler_go_on(struct sampler *s);
bool sampler_is_idle(const struct sampler *s);
/* over() does not follow. */
void sampler_stop(struct sampler *s);

#endif
