#ifndef CAPTURE_FRAME_H
#define CAPTURE_FRAME_H

/*
 * The capture log's format on disk, version 1 (docs/capture.md): a segment is a file that begins
 * with a head, and then has frames, each with a payload padded to 8 bytes. What is behind the last
 * frame is zeros or frames of a segment whose file this was before: a frame's checksum covers the
 * segment's id, so those are not frames here. All numbers are little-endian.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SEGMENT_VERSION 1
/* The first bytes of a segment. */
#define SEGMENT_MAGIC                                                                              \
	{                                                                                          \
		'C', 'F', 'S', 'E', 'G', 'M', 'N', 'T'                                             \
	}
#define FRAME_ALIGN 8
#define SEGMENT_NODE_BYTES 64

struct segment_head {
	char magic[8];
	uint32_t version;
	uint32_t crc;	     /* CRC-32C of the head with this 0 */
	uint64_t id;	     /* by chance */
	uint8_t boot[16];    /* of the kernel: its monotonic clock goes on while this is the same */
	uint64_t generation; /* of the series: counts writers of the directory, from 1 */
	uint64_t index;	     /* of the segment in its series, from 1 */
	uint64_t sequence;   /* of its first frame */
	uint64_t mono_ns, wall_ns;     /* when it was begun */
	char node[SEGMENT_NODE_BYTES]; /* the host's name, ends with a NUL */
	uint8_t zero[112];
};
static_assert(sizeof(struct segment_head) == 256, "part of the format");

enum frame_type {
	FRAME_REQUEST_HEAD = 1, /* struct record_request, the head's text */
	FRAME_REQUEST_BODY,	/* bytes */
	FRAME_REQUEST_TRAILERS, /* text */
	FRAME_ANSWER_HEAD,	/* struct record_answer, the head's text; interim ones too */
	FRAME_ANSWER_BODY,
	FRAME_ANSWER_TRAILERS,
	FRAME_OUTCOME, /* struct record_outcome, the node's name */
	FRAME_GAP,     /* struct record_gap */
	FRAME_COMMIT,  /* struct record_commit */
	FRAME_CLOSE,   /* the client's connection is over */
	FRAME_SEAL, /* nothing follows in this segment; its series goes on in the next, or ends */
	FRAME_TYPES,
};

/* What more a frame says, bit by bit. */
enum frame_flag {
	FRAME_END = 1,	  /* the request or the answer is whole with it */
	FRAME_WRITE = 2,  /* of a mutating request */
	FRAME_TARGET = 4, /* the arm is the target */
	FRAME_LAST = 8,	  /* of a seal: the series ends */
	FRAME_FLAGS = 15,
};

struct frame {
	uint32_t payload_n;   /* bytes, without padding */
	uint32_t head_crc;    /* CRC-32C of the segment's id and of this head with this 0 */
	uint32_t payload_crc; /* CRC-32C of the payload */
	uint8_t type;	      /* enum frame_type */
	uint8_t flags;	      /* enum frame_flag */
	uint16_t worker;
	uint64_t sequence; /* in the series, without a gap */
	/* A request is named by its series, worker, connection and ordinal. */
	uint64_t connection;
	uint32_t ordinal;  /* of the request on its connection, from 1 */
	uint32_t attempts; /* of answers and outcomes: with how many nodes it was tried */
	uint64_t epoch;	   /* of the weights that decided; 0: none did */
	uint64_t mono_ns;  /* of the turn in which it came */
	uint64_t wall_ns;
};
static_assert(sizeof(struct frame) == 64, "part of the format");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written as they are");

struct record_request {
	uint8_t known; /* 1: the client's address is, as IPv6; IPv4 is mapped */
	uint8_t tls;   /* 1: the client's connection is sealed */
	uint16_t port;
	uint32_t text_n; /* bytes of the head; the listener's name follows it */
	uint8_t address[16];
};
static_assert(sizeof(struct record_request) == 24, "part of the format");

struct record_answer {
	uint64_t released_mono_ns; /* when the request's end could go to the cluster */
	uint32_t text_n;	   /* bytes of the head; the node's name follows it */
	uint32_t zero;
};
static_assert(sizeof(struct record_answer) == 16, "part of the format");

enum outcome {
	OUTCOME_NONE,	  /* no record of it: reads as unknown */
	OUTCOME_ACCEPTED, /* 2xx, 3xx */
	OUTCOME_REJECTED, /* 4xx */
	OUTCOME_FAILED,	  /* 5xx: it may have been applied */
	OUTCOME_UNKNOWN,  /* sent, and not answered */
	OUTCOME_NOT_SENT, /* not whole at any node */
	OUTCOMES,
};

struct record_outcome {
	uint8_t outcome;
	uint8_t attempts;
	uint16_t status; /* of the answer that the client was to get; 0: none */
	uint16_t why;	 /* bytes of the reason's word, which follow the node's name */
	uint16_t node_n;
	uint64_t request_bytes, answer_bytes;			      /* of bodies */
	uint64_t arrived_mono_ns, released_mono_ns, answered_mono_ns; /* 0: it never was */
};
static_assert(sizeof(struct record_outcome) == 48, "part of the format");

enum gap_reason {
	GAP_UNAVAILABLE, /* the log could not be written */
	GAP_SHED,	 /* it was too slow: reads gave way */
	GAP_TUNNEL,	 /* a connection's bytes went through without being recorded */
	GAP_DAMAGE,	 /* what a start found, in what earlier ones had written */
	GAP_REASONS,
};

/* What more a gap says, bit by bit. */
enum gap_flag {
	GAP_AT_LEAST = 1,  /* a process ended before it could keep all counts: there may be more */
	GAP_INHERITED = 2, /* counted by a process before this one, which could not tell it */
};

struct record_gap {
	uint64_t reads, writes;		      /* requests that passed without a whole record */
	uint64_t outcomes;		      /* of recorded requests that have none */
	uint64_t request_bytes, answer_bytes; /* GAP_TUNNEL */
	uint64_t first_mono_ns, last_mono_ns, first_wall_ns, last_wall_ns;
	uint32_t reason; /* enum gap_reason */
	uint32_t flags;	 /* enum gap_flag */
};
static_assert(sizeof(struct record_gap) == 80, "part of the format");

enum damage_kind {
	DAMAGE_TORN, /* cut off behind the last good frame: as far as is known it never was durable
		      */
	DAMAGE_HOLE, /* good frames are behind it, and none says that it ever was durable */
	DAMAGE_LOST, /* it had been durable */
	DAMAGE_HEAD, /* the file's head is none: it cannot be read, and is kept */
	DAMAGE_KINDS,
};

/* GAP_DAMAGE. The times are those of the good frames before and behind it, or the file's. */
struct record_damage {
	struct record_gap gap;
	uint64_t generation, index;		/* of the segment */
	uint64_t at, bytes;			/* in it */
	uint64_t first_sequence, last_sequence; /* that are missing; last 0: not known */
	uint32_t kind;				/* enum damage_kind */
	uint32_t places; /* above 1: so many are told of here, of which this was the first */
};
static_assert(sizeof(struct record_damage) == 136, "part of the format");

struct record_commit {
	uint64_t durable_sequence; /* all up to here was durable before this was written; 0: none */
};

/* Payload and padding. */
static inline size_t frame_padded(size_t payload_n)
{
	return (payload_n + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

/* All that a frame takes in its segment. */
static inline size_t frame_bytes(const struct frame *f)
{
	return sizeof *f + frame_padded(f->payload_n);
}

uint32_t segment_head_crc(const struct segment_head *h);
/* False: it is none, or of a version that this program does not know. */
bool segment_head_is_good(const struct segment_head *h);

uint32_t frame_head_crc(const struct frame *f, uint64_t segment_id);

enum frame_verdict {
	FRAME_GOOD,
	FRAME_SHORT, /* more bytes are needed to tell */
	FRAME_BAD,   /* there is no frame of this segment here */
};

/*
 * Whether a frame of that segment begins at `bytes`, of which `n` are there. Good: `head` is its
 * head and `payload` its payload, in place.
 */
enum frame_verdict frame_read(const uint8_t *bytes, size_t n, uint64_t segment_id,
			      struct frame *head, struct span *payload);

#endif
