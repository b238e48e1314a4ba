#ifndef REPLAY_OBJECTS_H
#define REPLAY_OBJECTS_H

/*
 * What a cluster has beside its indices: stored scripts, ingest pipelines, component templates,
 * index templates, and the templates of old. The replica gets those that it lacks; those that have
 * changed at the owner since the last look of this process, or are gone there, change or go. What
 * the replica has otherwise is left. Names that begin with a dot, and those that say of themselves
 * that they are managed, belong to the clusters' own parts, and are left.
 *
 * No template makes an index of the replica use a pipeline or a lifecycle policy: that is for the
 * cutover.
 */

#include "replay/ask.h"

enum object_kind {
	OBJECT_SCRIPT,
	OBJECT_PIPELINE,
	OBJECT_COMPONENT,
	OBJECT_TEMPLATE,
	OBJECT_OLD_TEMPLATE,
	OBJECT_KINDS,
};

#define OBJECTS_TROUBLE_BYTES 256

struct objects {
	struct ask ask;
	enum arm owner;
	json_t *last[OBJECT_KINDS]; /* owned: the owner's at the last look, by name; NULL: none yet
				     */
	/* The present look. */
	bool looking, failed;
	int kind;	 /* enum object_kind */
	json_t *now;	 /* owned: the owner's */
	json_t *changes; /* owned: of names, the body to put, or null: it goes */
	void *at;	 /* iterator of `changes` */
	/* What waits for a look: tags of the log. */
	bool wanted;
	uint64_t not_before_ms;
	uintptr_t *tags; /* owned */
	size_t tag_n, tag_room;
	size_t seen_n; /* of the tags: they came before the look */
	void (*back)(void *user, uintptr_t tag);
	void *user;
	uint64_t put, refused;
	char trouble[OBJECTS_TROUBLE_BYTES];
};

void objects_open(struct objects *o, struct subrequests *subrequests, enum arm owner,
		  void (*back)(void *user, uintptr_t tag), void *user);
/* As ask_close(). Tags do not go back. */
void objects_close(struct objects *o);

/* Something has changed at the owner: they are looked at, and then the tag goes back. */
void objects_want(struct objects *o, uintptr_t tag /* moved in */);
/* A look is under way, or is to begin at once: documents wait, whose streams may need it. */
bool objects_are_due(const struct objects *o);
/* Each turn in which requests may be sent. */
void objects_turn(struct objects *o);
/* The loop's milliseconds; UINT64_MAX: nothing is due. */
uint64_t objects_due_ms(const struct objects *o);
void objects_stop(struct objects *o);

/* --- pure, for tests --- */

/* By name, as they are put, without those that are left; a new reference. `response` may be NULL.
 */
json_t *objects_read(enum object_kind kind, const json_t *response);
/* What is to be put (a body) or to go (null), by name; a new reference. `last` may be NULL. */
json_t *objects_compare(const json_t *owner, const json_t *last, const json_t *replica);

#endif
