/*
 * Frames of a capture log whose checksums are right and whose contents are anything: what puts
 * exchanges together, and what makes TrafficStreams of them.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "capture/exchange_record.h"
#include "capture/traffic.h"

static void record(void *user, struct span connection, struct span bytes)
{
	size_t *n = user;
	must(connection.n > 0 && bytes.n > 0);
	*n += bytes.n;
}

static void look(void *user, const struct exchange_record *s)
{
	(void)user;
	must(exchange_record_method(s).n + exchange_record_target(s).n <= s->request_head.n + 1);
	must(exchange_record_status(s) <= 65535 && outcome_word(s)[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct segment_head segment = { .generation = 1, .node = "n" };
	size_t told = 0;
	const struct trafficstream_user user = { .record = record, .user = &told };
	struct traffic *traffic = traffic_open(&user);
	struct exchange_records *exchange_records = exchange_records_open(true);
	exchange_records_look_at_bulks(exchange_records);
	/* Type, flags, connection, ordinal, length, payload. */
	while (size >= 6) {
		size_t n = (size_t)data[4] << 8 | data[5];
		n = n < size - 6 ? n : size - 6;
		struct reading r = { .segment = &segment,
				     .frame = { .type = data[0] % (FRAME_TYPES + 1),
						.flags = data[1],
						.connection = data[2] % 3,
						.ordinal = data[3] % 3,
						.wall_ns = size,
						.payload_n = (uint32_t)n },
				     .payload = { (const char *)data + 6, n } };
		struct exchange_record *s = exchange_records_take(exchange_records, &r);
		if (s) {
			look(NULL, s);
			exchange_record_free(s);
		}
		traffic_take(traffic, &r);
		data += 6 + n;
		size -= 6 + n;
	}
	exchange_records_each_open(exchange_records, NULL, look, NULL);
	traffic_end(traffic);
	traffic_close(traffic);
	exchange_records_close(exchange_records);
	return 0;
}
