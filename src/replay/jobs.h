#ifndef REPLAY_JOBS_H
#define REPLAY_JOBS_H

/*
 * What concerns more than named documents: scans (documents of an index were written, and nobody
 * says which), sweeps (documents that a query finds were deleted), walks (any document may be
 * another one, or gone) and deletions of indices. One job at a time, in the order of the log. All
 * but deletions end in keys to copy.
 */

#include "replay/copier.h"
#include "replay/handoff.h"

struct jobs;

struct jobs_config {
	struct subrequests *subrequests; /* borrowed */
	struct copier *copier;		 /* borrowed */
	struct keys *keys;		 /* borrowed */
	enum arm owner;
	void (*back)(void *user, uintptr_t tag); /* the job, and all keys of it, are done */
	/* Whether the index is one of those that are replayed. */
	bool (*belongs)(void *user, struct span index);
	/* A document of the index cannot be copied. */
	void (*lost)(void *user, struct span index, const char *why);
	/* An index, or what is behind a stream, is gone at both. */
	void (*deleted)(void *user, struct span name, bool is_stream);
	/* How far scans came has changed: jobs_places(). */
	void (*moved)(void *user);
	void *user;
};

struct jobs_counts {
	size_t waiting; /* with the one that is at work */
	uint64_t done[EFFECT_KINDS];
	uint64_t keys;	  /* that jobs found */
	uint64_t deleted; /* indices of the replica */
};

struct jobs *jobs_open(const struct jobs_config *c);
/* jobs_are_quiet() only. */
void jobs_close(struct jobs *j);

/*
 * One more, of the kinds SCAN, SWEEP, WALK and FENCE; or a KEY whose index may be an alias. False:
 * there are too many, and nothing was taken. The tag is moved in.
 */
bool jobs_add(struct jobs *j, const struct handed_batch *b, const struct handed *h);
/* Each turn: goes on where it can. */
void jobs_turn(struct jobs *j, uint64_t time_ns /* up to when the log was read, wall */);
/* The loop's milliseconds; UINT64_MAX: nothing is due. */
uint64_t jobs_due_ms(const struct jobs *j);
/* What is uncertain may act for so long. Before the first job. */
void jobs_set_response_ms(struct jobs *j, uint32_t response_ms);
void jobs_stop(struct jobs *j);
bool jobs_are_quiet(const struct jobs *j);

/* For keys_config.back: the tag is one of a job's keys. False: it is another one. */
bool jobs_tag_back(struct jobs *j, uintptr_t tag);

/* How far scans came, as id_pages_places(). */
json_t *jobs_places(const struct jobs *j);
/* From an earlier time, before the first job. */
void jobs_set_places(struct jobs *j, const json_t *places);

/* When the first of those that wait or are at work was answered, in wall time; UINT64_MAX: none. */
uint64_t jobs_oldest_ns(const struct jobs *j);
const struct jobs_counts *jobs_counts(const struct jobs *j);
const char *jobs_trouble(const struct jobs *j);

#endif
