#ifndef REPLAY_JSON_SCAN_H
#define REPLAY_JSON_SCAN_H

/*
 * JSON (RFC 8259), read as it comes, in pieces of any size: what it is made of, one by one. Nothing
 * is allocated; a text that pieces divide is put together in the scanner, as far as there is room.
 * What comes out does not depend on the pieces.
 *
 * The scanner compares no names: a name that an object has twice is told twice. Clusters take the
 * last one, and so does whoever lets a later value replace an earlier one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

enum json_token {
	TOKEN_MORE, /* what was put is used up: more must be put */
	TOKEN_END,  /* all values are whole, and there is nothing behind them */
	TOKEN_BAD,  /* it is no JSON, for the reason json_fault() says; from now on always */
	TOKEN_OBJECT,
	TOKEN_OBJECT_END,
	TOKEN_ARRAY,
	TOKEN_ARRAY_END,
	TOKEN_KEY,    /* `text`: between its quotes */
	TOKEN_STRING, /* the same */
	TOKEN_NUMBER, /* `text`: as it is written */
	TOKEN_TRUE,   /* `text` too */
	TOKEN_FALSE,
	TOKEN_NULL,
};

enum json_fault {
	JSON_FINE,
	JSON_CUT,    /* it ended too early; what there was is right */
	JSON_SYNTAX, /* a byte that cannot stand where it does, a number of JSON_TEXT_BYTES */
	JSON_UTF8,   /* a string is no UTF-8 (RFC 3629) */
	JSON_DEEP,   /* more than JSON_DEPTH_MAX brackets are open */
};

/* How many values there may be, with or without blanks between them. */
enum json_values { JSON_ONE_VALUE, JSON_MANY_VALUES };

enum json_expects {
	JSON_EXPECTS_VALUE,
	JSON_EXPECTS_FIRST_VALUE, /* or the end of the array */
	JSON_EXPECTS_KEY,
	JSON_EXPECTS_FIRST_KEY, /* or the end of the object */
	JSON_EXPECTS_COLON,
	JSON_EXPECTS_COMMA, /* or a closing bracket; outside of all: nothing */
};

enum json_inside { JSON_INSIDE_NOTHING, JSON_INSIDE_STRING, JSON_INSIDE_WORD };

/* Members are the scanner's own, but for `text`, `text_cut` and `depth`, which are to be read. */
struct json_scan {
	struct span text; /* of the last token; valid until the next call of json_next() */
	bool text_cut;	  /* it is longer: these are its first JSON_TEXT_BYTES bytes */
	bool text_coded;  /* it has a '\\' */
	unsigned depth;	  /* brackets that are open; those of a bracket itself count with it */

	struct span left; /* borrowed, of json_put() */
	bool last;
	uint8_t values, expects, inside, fault; /* enums of above */
	bool is_key;				/* the string is */
	uint8_t escape; /* 1: behind a '\\'; above: digits of a \u to come, and 1 */
	uint8_t utf8_left, utf8_low,
		utf8_high;		       /* of a character: bytes to come, and the next one */
	uint64_t objects[JSON_DEPTH_MAX / 64]; /* a bit for each open bracket: it is an object's */
	size_t held_n;			       /* bytes of the text in pieces before this one */
	char held[JSON_TEXT_BYTES];
};

void json_open(struct json_scan *j, enum json_values values);

/*
 * The next piece, borrowed until json_next() says TOKEN_MORE, as it did before this call. `last`:
 * there is none behind it.
 */
void json_put(struct json_scan *j, struct span piece, bool last);

enum json_token json_next(struct json_scan *j);

/* Forgets the bytes of the piece that were not looked at, and says how many: they are put again. */
size_t json_take_back(struct json_scan *j);

enum json_fault json_fault(const struct json_scan *j);

/* Whether a key or a string is that word, whichever of its letters are written as codes. */
bool json_is(const struct json_scan *j, struct span word);

/* Whether a token is a value by itself: a string, a number, true, false. Null is none. */
bool json_is_scalar(enum json_token token);

enum json_decoded {
	JSON_DECODED,
	JSON_TOO_LONG, /* it has more than `room` bytes */
	JSON_NO_TEXT,  /* half a surrogate pair: no UTF-8 says that */
};

/*
 * What stands between the quotes of a string, of which the scanner has told, without its codes. It
 * never has more bytes than before: `to` may be where it stands.
 */
enum json_decoded json_decode(struct span coded, char *to, size_t room, size_t *n);

#endif
