#ifndef CAPTURE_FRAME_H
#define CAPTURE_FRAME_H

/*
 * The capture log's format on disk, version 1 (docs/capture.md). A segment is a file that begins
 * with a head; frames follow, each with a payload padded to 8 bytes. Behind the last frame are
 * zeros, or frames of a segment whose file this was before: a frame's checksum covers the segment's
 * id, so those are no frames here. All numbers are little-endian.
 *
 * A newer minor version adds types of frames, flags, and bytes in what is reserved here or behind a
 * payload's fields; it changes nothing that is there. So a program reads every minor version of its
 * major one: it passes over types that it does not know, and counts them; it ignores the other
 * additions. Of a newer major version it reads the first 16 bytes of the head only, and refuses the
 * segment.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

#define SEGMENT_MAJOR 1
#define SEGMENT_MINOR 1
/* The first bytes of a segment. */
#define SEGMENT_MAGIC                                                                              \
	{                                                                                          \
		'C', 'F', 'S', 'E', 'G', 'M', 'N', 'T'                                             \
	}
#define FRAME_ALIGN 8
#define SEGMENT_NODE_BYTES 64

struct segment_head {
	char magic[8];
	uint16_t major, minor; /* version of the format */
	uint32_t crc;	       /* CRC-32C of the head with this 0 */
	uint64_t id;	       /* random */
	/* the kernel's boot id: its monotonic clock goes on while this is the same */
	uint8_t boot[16];
	uint64_t generation;	       /* of the series: counts writers of the directory, from 1 */
	uint64_t index;		       /* of the segment in its series, from 1 */
	uint64_t sequence;	       /* of its first frame */
	uint64_t mono_ns, wall_ns;     /* when it was begun */
	char node[SEGMENT_NODE_BYTES]; /* the host's name, ends with a NUL */
	uint8_t reserved[112];	       /* zeros */
};
static_assert(sizeof(struct segment_head) == 256, "part of the format");

enum frame_type {
	FRAME_REQUEST_HEAD = 1, /* struct record_request, the head's text */
	FRAME_REQUEST_BODY,	/* bytes */
	FRAME_REQUEST_TRAILERS, /* text */
	FRAME_RESPONSE_HEAD,	/* struct record_response, the head's text; interim ones too */
	FRAME_RESPONSE_BODY,
	FRAME_RESPONSE_TRAILERS,
	FRAME_OUTCOME, /* struct record_outcome, the node's name */
	FRAME_GAP,     /* struct record_gap */
	FRAME_COMMIT,  /* struct record_commit */
	FRAME_CLOSE,   /* the client's connection is over */
	FRAME_SEAL, /* nothing follows in this segment; its series goes on in the next, or ends */
	/* Since minor version 1: */
	/* struct record_owner: at both ends of a segment, and where the owner changes */
	FRAME_OWNER,
	FRAME_DRAINED, /* struct record_drained: the worker's writes of earlier epochs are over */
	FRAME_TYPES,
};

/* Flags of a frame, one bit each. */
enum frame_flag {
	FRAME_END = 1,	  /* the request or the response ends with it, whole */
	FRAME_WRITE = 2,  /* of a mutating request */
	FRAME_TARGET = 4, /* the arm is the target */
	FRAME_LAST = 8,	  /* of a seal: the series ends */
	FRAME_LATE = 16,  /* of an outcome: it was lost when the log failed, and is written again */
};

struct frame {
	uint32_t payload_n;   /* bytes, without padding */
	uint32_t head_crc;    /* CRC-32C of the segment's id and of this head with this 0 */
	uint32_t payload_crc; /* CRC-32C of the payload */
	uint8_t type;	      /* enum frame_type, or one of a newer minor version */
	uint8_t flags;	      /* enum frame_flag */
	uint16_t worker;
	uint64_t sequence; /* in the series, without a gap */
	/* A request is named by its series, worker, connection and ordinal. */
	uint64_t connection;
	uint32_t ordinal;  /* of the request on its connection, from 1 */
	uint32_t attempts; /* of responses and outcomes: how many nodes were tried */
	uint64_t epoch;	   /* of the weights that chose the arm; 0: no weights did */
	uint64_t mono_ns;  /* of the turn in which the frame was put */
	uint64_t wall_ns;
};
static_assert(sizeof(struct frame) == 64, "part of the format");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written as they are");

/* The protocol of the client's connection. The head's text is HTTP/1.1 in any case. */
enum protocol {
	PROTOCOL_UNKNOWN, /* minor version 0 does not record it */
	PROTOCOL_HTTP_1_0,
	PROTOCOL_HTTP_1_1,
	PROTOCOL_HTTP_2,
	PROTOCOLS,
};

enum scheme { SCHEME_HTTP, SCHEME_HTTPS };

struct record_request {
	uint8_t known;	/* 1: the client's address is known, as IPv6; IPv4 is mapped */
	uint8_t scheme; /* enum scheme: of the client's connection to us */
	uint16_t port;
	uint32_t text_n : 24;  /* bytes of the head; the listener's name follows it */
	uint32_t protocol : 8; /* enum protocol */
	uint8_t address[16];
};
static_assert(FRAME_PAYLOAD_BYTES < 1 << 24, "a head's length is a number of 24 bits");
static_assert(sizeof(struct record_request) == 24, "part of the format");

struct record_response {
	uint64_t released_mono_ns; /* when the request's end could go to the cluster */
	uint32_t text_n;	   /* bytes of the head; the node's name follows it */
	uint32_t zero;
};
static_assert(sizeof(struct record_response) == 16, "part of the format");

enum outcome {
	OUTCOME_NONE,	  /* no outcome was recorded: reads as unknown */
	OUTCOME_ACCEPTED, /* 2xx, 3xx */
	OUTCOME_REJECTED, /* 4xx */
	OUTCOME_FAILED,	  /* 5xx: it may have been applied */
	OUTCOME_UNKNOWN,  /* sent, and no response came */
	OUTCOME_NOT_SENT, /* no node has got it whole */
	OUTCOMES,
};

struct record_outcome {
	uint8_t outcome;
	uint8_t attempts;
	uint16_t status; /* of the response that the client was to get; 0: none */
	uint16_t why;	 /* bytes of the reason's word, which follows the node's name */
	uint16_t node_n;
	uint64_t request_bytes, response_bytes;			       /* of bodies */
	uint64_t arrived_mono_ns, released_mono_ns, responded_mono_ns; /* 0: that never happened */
};
static_assert(sizeof(struct record_outcome) == 48, "part of the format");

enum gap_reason {
	GAP_UNAVAILABLE, /* the log could not be written */
	GAP_SHED,	 /* the log was too slow: reads passed unrecorded */
	GAP_TUNNEL,	 /* a connection's bytes went through without being recorded */
	GAP_DAMAGE,	 /* what a start has found damaged in what earlier processes wrote */
	GAP_REASONS,
};

/* Flags of a gap, one bit each. */
enum gap_flag {
	GAP_AT_LEAST = 1,  /* a process ended before it could save all counts: there may be more */
	GAP_INHERITED = 2, /* counted by an earlier process, which could not report it */
};

struct record_gap {
	uint64_t reads, writes; /* requests that passed without a whole record */
	uint64_t outcomes;	/* recorded requests whose outcome is not recorded */
	uint64_t request_bytes, response_bytes; /* GAP_TUNNEL */
	uint64_t first_mono_ns, last_mono_ns, first_wall_ns, last_wall_ns;
	uint32_t reason; /* enum gap_reason */
	uint32_t flags;	 /* enum gap_flag */
};
static_assert(sizeof(struct record_gap) == 80, "part of the format");

enum damage_kind {
	DAMAGE_TORN, /* cut off behind the last good frame: nothing says that it ever was durable */
	DAMAGE_HOLE, /* good frames follow, and none says that it ever was durable */
	DAMAGE_LOST, /* it had been durable */
	DAMAGE_HEAD, /* the file has no good head: it cannot be read, and is kept */
	DAMAGE_KINDS,
};

/*
 * A gap with GAP_DAMAGE. The times are those of the good frames before and behind the damage, or
 * the file's.
 */
struct record_damage {
	struct record_gap gap;
	uint64_t generation, index;		/* of the segment */
	uint64_t at, bytes;			/* offset and length in the segment */
	uint64_t first_sequence, last_sequence; /* that are missing; last 0: not known */
	uint32_t kind;				/* enum damage_kind */
	uint32_t places; /* above 1: this stands for so many damages, of which it was the first */
};
static_assert(sizeof(struct record_damage) == 136, "part of the format");

/*
 * Which cluster takes the writes from here on. Requests that were decided before may stand behind
 * this frame: each has its epoch. The frame's own epoch is 0, for it belongs to no request.
 */
struct record_owner {
	uint8_t target; /* 1: the target; 0: the source */
	uint8_t reserved[7];
	uint64_t since; /* the epoch in which it became the owner; 0: it always was */
	uint64_t epoch; /* an epoch in which it is the owner, as known when this was written */
};
static_assert(sizeof(struct record_owner) == 24, "part of the format");

struct record_drained {
	uint64_t epoch; /* the worker's writes of earlier epochs are over */
};

struct record_commit {
	uint64_t durable_sequence; /* all up to here was durable before this was written; 0: none */
};

/* Bytes of a payload with its padding. */
static inline size_t frame_padded(size_t payload_n)
{
	return (payload_n + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

/* All bytes of the frame in its segment. */
static inline size_t frame_bytes(const struct frame *f)
{
	return sizeof *f + frame_padded(f->payload_n);
}

/*
 * Orders frames of one series by the exchange that they name: below 0, 0 or above 0, for tsearch().
 */
int frame_compare_exchanges(const struct frame *a, const struct frame *b);

uint32_t segment_head_crc(const struct segment_head *h);
/* False: it is no segment's head, or one of another major version. */
bool segment_head_is_good(const struct segment_head *h);
/* True: it is the head of a newer major version, which this program does not know. */
bool segment_head_is_newer(const struct segment_head *h);
/* Whether the frame's type is one that this program knows. */
bool frame_is_known(const struct frame *f);

uint32_t frame_head_crc(const struct frame *f, uint64_t segment_id);

enum frame_verdict {
	FRAME_GOOD,
	FRAME_SHORT, /* more bytes are needed to tell */
	FRAME_BAD,   /* there is no frame of this segment here */
};

/*
 * Reads the frame of that segment that begins at `bytes`, of which `n` are there. FRAME_GOOD:
 * `head` is its head and `payload` its payload, in place.
 */
enum frame_verdict frame_read(const uint8_t *bytes, size_t n, uint64_t segment_id,
			      struct frame *head, struct span *payload);

#endif
