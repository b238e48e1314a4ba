#ifndef PROXY_PATH_H
#define PROXY_PATH_H

/*
 * A request's path as rules compare it (class.h): one byte for each segment, words by their
 * numbers. And the ways to read it, where not everybody reads it alike.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* Segments that rules look at; a longer path fits no rule. */
#define PATH_DEPTH 6

/*
 * Bit 6 says that there is a segment, bit 7 that it is a keyword. Words that rules name have
 * numbers of their own.
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

/* What is in a path that not everybody reads alike; each has a plain reading and another one. */
enum {
	DOUBT_CODE = 1,	 /* %5f may be '_' for who compares segments, and is not for a cluster */
	DOUBT_TWICE = 2, /* %25 and what may be the rest of another code */
	DOUBT_SLASH = 4, /* %2F may part segments */
	DOUBT_BACKSLASH = 8,  /* so may '\\' */
	DOUBT_EMPTY = 16,     /* "//" may be '/' */
	DOUBT_PARAM = 32,     /* ';' may end what of a segment is looked at */
	DOUBT_QUERY = 64,     /* %3F may end the path */
	DOUBT_FRAGMENT = 128, /* so may '#' */
	DOUBT_CONTROL = 256,  /* and %00, %0A and their like */
	DOUBT_ALL = 512,      /* nobody can tell */
	DOUBT_SLASHES = DOUBT_SLASH | DOUBT_BACKSLASH,
	DOUBT_ENDS = DOUBT_QUERY | DOUBT_FRAGMENT | DOUBT_CONTROL,
};

struct path {
	uint64_t segments; /* the first one is the lowest byte; byte PATH_DEPTH: there are more */
	size_t n;	   /* bytes before the query */
	unsigned depth, doubts;
	bool risky; /* path_read_as(): an encoded slash is where it may make another rule's path */
};

/* Reads it plainly, and finds what may be read otherwise. `target` begins with '/'. */
struct path path_read(struct span target);

/* Reads it with the doubts in `as` decided the other way. `path` has no DOUBT_ALL, and no query. */
void path_read_as(struct path *p, struct span path, unsigned as);

/* For people: the word, or "{index}". */
const char *path_segment_text(uint8_t segment);

#endif
