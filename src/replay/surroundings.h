#ifndef REPLAY_SURROUNDINGS_H
#define REPLAY_SURROUNDINGS_H

/*
 * What documents stand in: indices with their mappings, settings and aliases. The order of the
 * first documents decides a dynamic mapping, so the replica must not make an index or a field by
 * itself: before a batch goes there, the replica gets what the owner has and it lacks. What the
 * replica has otherwise is left as it is, and said.
 *
 * The owner's versions of each index are asked each time (one small response); bodies are fetched
 * only where a version has changed.
 */

#include "replay/ask.h"

/* How it ended for one index. */
enum surrounding_state {
	SURROUNDING_UNKNOWN, /* it was never looked at */
	SURROUNDING_GOOD,    /* the replica has what the owner has */
	SURROUNDING_GONE,    /* the owner has no such index */
	SURROUNDING_REFUSED, /* the replica does not take it: `why` says what it said */
	SURROUNDING_LATE,    /* a cluster could not be asked: it is to be tried again */
};

#define SURROUNDING_WHY_BYTES 256

struct surrounding {
	char *index;  /* owned */
	char *uuid;   /* owned: the owner's; NULL: not known */
	char *stream; /* owned: the data stream behind which it stands; NULL: none, or not known */
	json_int_t mapping_version, settings_version, aliases_version; /* that the replica has */
	json_t *settings; /* owned: the owner's that may change, at the last look; NULL: none yet */
	json_int_t seen[3]; /* the owner's of this look: mapping, settings, aliases */
	enum surrounding_state state;
	bool external;	/* versions of documents are the clients' own, of some at least */
	bool learned;	/* it was told as it is: surroundings.learned */
	bool recalled;	/* of an earlier process, and was not looked at in this one */
	bool one_shard; /* the owner's: a document is there whatever its routing */
	bool due;	/* of the present look: it is to be brought over */
	bool forgotten; /* since the look began */
	bool replaced;	/* the owner's is another one than that which the replica has */
	char why[SURROUNDING_WHY_BYTES];
};

struct surroundings {
	struct ask ask;
	enum arm owner;
	struct surrounding **list; /* owned, each from malloc; sorted by name */
	size_t n, room;
	/* The present look. */
	struct surrounding **wanted; /* owned: of `list` */
	size_t wanted_n, wanted_room, at;
	size_t listed_n; /* of them, that fitted into the question */
	json_t *index;	 /* owned: the owner's description of wanted[at] */
	bool looking;
	void (*done)(void *user);
	void *user;
	/*
	 * Something is to be remembered of it over a start: surroundings_memory(). May be NULL; no
	 * function of these may be called in it.
	 */
	void (*learned)(void *learner, const struct surrounding *one);
	void *learner;
	uint64_t brought; /* indices made, and mappings or aliases put, so far */
};

void surroundings_open(struct surroundings *s, struct subrequests *subrequests, enum arm owner);
/* As ask_close(). */
void surroundings_close(struct surroundings *s);

/* No look is under way. */
bool surroundings_are_idle(const struct surroundings *s);
/* For a look that is to begin: one more index, by its concrete name. */
void surroundings_want(struct surroundings *s, struct span index);
/* It is one of those that are known from now on, though nothing is known of it. */
void surroundings_know(struct surroundings *s, struct span index);
/*
 * It is one of those that are known, with what an earlier process remembered of it. `same`: the
 * owner is the cluster that it was then.
 */
void surroundings_recall(struct surroundings *s, struct span index, const json_t *memory,
			 bool same);
/* What is remembered of it: {"uuid":TEXT,"stream":TEXT,"external":true}, each where it is known; a
 * new reference. */
json_t *surroundings_memory(const struct surrounding *one);
/* A client has given the version of a document there. */
void surroundings_are_external(struct surroundings *s, struct span index);
/* Begins it. done() follows, never inside this function unless nothing is wanted. */
void surroundings_look(struct surroundings *s, void (*done)(void *user), void *user);
/* What is known of that index; NULL: nothing is. Valid until the next surroundings_want(). */
const struct surrounding *surroundings_of(const struct surroundings *s, struct span index);
/* The replica's is gone, or may be another one: it is brought over at the next look. */
void surroundings_forget(struct surroundings *s, struct span index);

/* The same of all indices behind a data stream; whether one of those that are known is. */
void surroundings_forget_stream(struct surroundings *s, const char *stream);
bool surroundings_know_stream(const struct surroundings *s, const char *stream);

/* --- pure, for tests --- */

/* Of the owner's settings, those that make the same index elsewhere; a new reference. */
json_t *surroundings_settings(const json_t *settings);
/* Of the owner's settings, those that are copied when they change later, with flat names; a new
 * reference. */
json_t *surroundings_changeable(const json_t *settings);
/* What has changed between two of these: values, null for what is gone; a new reference. */
json_t *surroundings_changes(const json_t *before, const json_t *now);
/* The mapping without a type: of Elasticsearch 6 it stands below one. Borrowed. */
json_t *surroundings_mapping(json_t *mappings);

#endif
