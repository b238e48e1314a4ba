#include "capture/frame.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/least.h"

int frame_compare_exchanges(const struct frame *a, const struct frame *b)
{
	int c = compare_numbers(a->worker, b->worker);
	c = c ? c : compare_numbers(a->connection, b->connection);
	return c ? c : compare_numbers(a->ordinal, b->ordinal);
}

uint32_t segment_head_crc(const struct segment_head *h)
{
	struct segment_head bare = *h;
	bare.crc = 0;
	return crc32c(0, &bare, sizeof bare);
}

static bool is_segment_head(const struct segment_head *h)
{
	static const char magic[] = SEGMENT_MAGIC;
	return !memcmp(h->magic, magic, sizeof h->magic) && h->crc == segment_head_crc(h);
}

bool segment_head_is_good(const struct segment_head *h)
{
	return is_segment_head(h) && h->major == SEGMENT_MAJOR && !h->node[SEGMENT_NODE_BYTES - 1];
}

/*
 * A newer major version may change what stands behind the checksum; its head still has 256 bytes
 * that the checksum covers.
 */
bool segment_head_is_newer(const struct segment_head *h)
{
	return is_segment_head(h) && h->major > SEGMENT_MAJOR;
}

bool frame_is_known(const struct frame *f)
{
	return f->type < FRAME_TYPES;
}

uint32_t frame_head_crc(const struct frame *f, uint64_t segment_id)
{
	struct frame bare = *f;
	bare.head_crc = 0;
	return crc32c(crc32c(0, &segment_id, sizeof segment_id), &bare, sizeof bare);
}

static bool is_head(const struct frame *f, uint64_t segment_id)
{
	return f->type > 0 && f->payload_n <= FRAME_PAYLOAD_BYTES &&
	       f->head_crc == frame_head_crc(f, segment_id);
}

enum frame_verdict frame_read(const uint8_t *bytes, size_t n, uint64_t segment_id,
			      struct frame *head, struct span *payload)
{
	if (n < sizeof *head)
		return FRAME_SHORT;
	memcpy(head, bytes, sizeof *head);
	if (!is_head(head, segment_id))
		return FRAME_BAD;
	if (n < frame_bytes(head))
		return FRAME_SHORT;
	*payload = (struct span){ (const char *)bytes + sizeof *head, head->payload_n };
	return crc32c(0, payload->at, payload->n) == head->payload_crc ? FRAME_GOOD : FRAME_BAD;
}
