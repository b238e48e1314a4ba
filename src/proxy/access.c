#include "proxy/access.h"

#include <stdlib.h>

#include "base/bug.h"
#include "proxy/request.h"

/* --- notes --- */

static const char *keep_text(struct arena *arena, const char *text)
{
	size_t bytes = text ? strlen(text) + 1 : 0;
	return text ? memcpy(arena_take(arena, bytes), text, bytes) : NULL;
}

struct access_notes *access_note(struct arena *arena, const struct front_facts *facts)
{
	struct access_notes *n = arena_take(arena, sizeof *n);
	*n = (struct access_notes){
		.cipher = facts->session.cipher, /* OpenSSL's static names, which stay valid */
		.version = facts->session.version,
		.server_name = keep_text(arena, facts->session.server_name),
		.certificate = keep_text(arena, facts->session.certificate),
		.resumed = facts->session.resumed,
		.connection = facts->number,
	};
	return n;
}

void access_note_attempt(struct access_notes *n, struct arena *arena, const struct addr *to,
			 const char *node)
{
	must(n->attempt_n < CONNECT_ATTEMPTS_MAX);
	n->attempts[n->attempt_n++] =
		(struct access_attempt){ .to = *to, .node = keep_text(arena, node) };
}

void access_note_address(struct access_notes *n, const struct addr *to)
{
	must(n->attempt_n > 0);
	n->attempts[n->attempt_n - 1].to = *to;
}

void access_note_response(struct access_notes *n, const struct msg *head)
{
	must(n->attempt_n > 0);
	n->attempts[n->attempt_n - 1].status = head->status;
	n->response_head_bytes = head->text_n + 2;
}

/* --- the ring --- */

void access_open(struct access *a, struct waker *waker, uint64_t seed)
{
	*a = (struct access){ .waker = waker, .seed = seed, .line = malloc(ACCESS_LINE_BYTES) };
	must(a->line);
	a->second = UINT64_MAX;
	ring_open(&a->ring, ACCESS_RING_BYTES);
}

void access_close(struct access *a)
{
	ring_close(&a->ring);
	free(a->line);
}

void access_write(struct access *a, const struct access_entry *e, struct counters *counters)
{
	struct span line = { a->line, access_line(a, e, e->request->plan->access) };
	counter_add(ring_put(&a->ring, line) ? &counters->access_lines : &counters->access_dropped,
		    1);
	if (ring_used(&a->ring) > a->ring.size / 2)
		waker_wake(a->waker);
}
