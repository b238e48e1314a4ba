#ifndef PROXY_PATH_H
#define PROXY_PATH_H

/*
 * A request's path as rules compare it (class.h): one byte for each segment, keywords by number.
 * And the different ways to read a path that servers do not all read alike.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* The segments that rules compare; a longer path matches no rule. */
#define PATH_DEPTH 6

/*
 * Bit 6: there is a segment. Bit 7: the segment is a keyword. Words that rules name have numbers of
 * their own.
 */
enum {
	SEGMENT_end = 0,
	SEGMENT_index = 0x40,
	SEGMENT_type,
	SEGMENT_id,
	SEGMENT_context,
	SEGMENT_FIRST_WORD,
	SEGMENT_FIRST_KEYWORD = 0xc0,
	SEGMENT_OTHER_KEYWORD = 0xff,
};

enum {
	BEFORE_WORDS = SEGMENT_FIRST_WORD - 1,
#define WORD(text) SEGMENT_##text,
#define KEYWORD(text)
#include "proxy/path.def"
#undef KEYWORD
#undef WORD
	WORDS_END,
};

enum {
	BEFORE_KEYWORDS = SEGMENT_FIRST_KEYWORD - 1,
#define WORD(text)
#define KEYWORD(text) SEGMENT_##text,
#include "proxy/path.def"
#undef KEYWORD
#undef WORD
	KEYWORDS_END,
};

static_assert((int)WORDS_END <= 0x80, "bit 7 is for keywords");
static_assert((int)KEYWORDS_END <= SEGMENT_OTHER_KEYWORD, "numbers of keywords");

/* The parts of a path that servers read differently. Each has a plain reading and another one. */
enum {
	DOUBT_CODE = 1,	 /* %5f may mean '_' to a server that decodes before it compares; a cluster
			    compares it undecoded */
	DOUBT_TWICE = 2, /* %25 and the rest of another code: some servers decode twice */
	DOUBT_SLASH = 4, /* %2F may separate segments */
	DOUBT_BACKSLASH = 8,  /* '\\' may too */
	DOUBT_EMPTY = 16,     /* "//" may be '/' */
	DOUBT_PARAM = 32,     /* ';' may end the part of a segment that is compared */
	DOUBT_QUERY = 64,     /* %3F may end the path */
	DOUBT_FRAGMENT = 128, /* '#' may too */
	DOUBT_CONTROL = 256,  /* %00, %0A and other control bytes may too */
	DOUBT_ALL = 512,      /* the meaning is uncertain */
	DOUBT_SLASHES = DOUBT_SLASH | DOUBT_BACKSLASH,
	DOUBT_ENDS = DOUBT_QUERY | DOUBT_FRAGMENT | DOUBT_CONTROL,
};

struct path {
	uint64_t segments; /* first one in the lowest byte; byte PATH_DEPTH: there are more */
	size_t n;	   /* bytes before the query */
	unsigned depth, doubts;
	bool risky; /* path_read_as(): an encoded slash is where it may turn the path into another
		       rule's */
};

/* Reads the path plainly, and finds its doubts. `target` begins with '/'. */
struct path path_read(struct span target);

/*
 * Reads the path with the doubts in `as` decided the other way. `path` has no DOUBT_ALL, and no
 * query.
 */
void path_read_as(struct path *p, struct span path, unsigned as);

/* For people: the word, or "{index}". */
const char *path_segment_text(uint8_t segment);

#endif
