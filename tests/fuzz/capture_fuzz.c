/*
 * Frames of a capture log whose checksums are right and whose contents are anything: what puts
 * exchanges together, and what makes TrafficStreams of them.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "capture/story.h"
#include "capture/traffic.h"

static void record(void *user, struct span connection, struct span bytes)
{
	size_t *n = user;
	must(connection.n > 0 && bytes.n > 0);
	*n += bytes.n;
}

static void look(void *user, const struct story *s)
{
	(void)user;
	must(story_method(s).n + story_target(s).n <= s->request_head.n + 1);
	must(story_status(s) <= 65535 && outcome_word(s)[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct segment_head segment = { .generation = 1, .node = "n" };
	size_t told = 0;
	const struct trafficstream_user user = { .record = record, .user = &told };
	struct traffic *traffic = traffic_open(&user);
	struct stories *stories = stories_open(true);
	stories_look_at_bulks(stories);
	/* Type, flags, connection, ordinal, length, payload. */
	while (size >= 6) {
		size_t n = (size_t)data[4] << 8 | data[5];
		n = n < size - 6 ? n : size - 6;
		struct reading r = { .segment = &segment,
				     .frame = { .type = data[0] % FRAME_TYPES,
						.flags = data[1] & FRAME_FLAGS,
						.connection = data[2] % 3,
						.ordinal = data[3] % 3,
						.wall_ns = size,
						.payload_n = (uint32_t)n },
				     .payload = { (const char *)data + 6, n } };
		struct story *s = stories_take(stories, &r);
		if (s) {
			look(NULL, s);
			story_free(s);
		}
		traffic_take(traffic, &r);
		data += 6 + n;
		size -= 6 + n;
	}
	stories_each_open(stories, NULL, look, NULL);
	traffic_end(traffic);
	traffic_close(traffic);
	stories_close(stories);
	return 0;
}
