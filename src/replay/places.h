#ifndef REPLAY_PLACES_H
#define REPLAY_PLACES_H

/*
 * Where documents of data streams stand. Each cluster rolls its streams over by itself, so the same
 * document is in another backing index there; a create would make a second document behind a
 * rollover, and what stands in a backing index is changed there alone, on the condition that it has
 * not changed. So documents of streams are looked for at both clusters by their ids, behind a
 * refresh, before they are read. So are documents whose routing is not known: of these all routings
 * by which one of the clusters has the id, for it may be there in several shards.
 */

#include "base/limits.h"
#include "replay/ask.h"
#include "replay/copy.h"

struct place_wanted {
	/* Borrowed until done(). `in`: a stream, or an index; empty: it is not looked for. */
	struct span in, id;
	bool by_routing; /* `in` is an index */
	/* What was found, borrowed until the next look: in a stream, */
	struct copy_place owner, replica;
	/* or by which routings; an empty one is none. */
	struct span routings[PLACE_ROUTINGS_MAX];
	unsigned routing_n;
};

struct places {
	struct ask ask;
	enum arm owner, arm; /* arm: that is asked */
	struct place_wanted *list;
	size_t n, at; /* at: whose stream is asked for */
	json_t *kept; /* owned: the responses */
	void (*done)(struct places *p, bool good);
	char trouble[160];
};

void places_open(struct places *p, struct subrequests *subrequests, enum arm owner);
/* As ask_close(). */
void places_close(struct places *p);
/* done() follows. At least one has a stream. One look at a time. */
void places_look(struct places *p, struct place_wanted *list, size_t n,
		 void (*done)(struct places *p, bool good));
void places_stop(struct places *p);

#endif
