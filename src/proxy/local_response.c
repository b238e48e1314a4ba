#include "proxy/local_response.h"

#include <string.h>

#include "base/log.h"
#include "proxy/recipient.h"
#include "proxy/sniffing.h"

static struct local_response local_error(enum err why)
{
	return (struct local_response){ .response = LOCAL_RESPONSE_ERROR, .why = why };
}

static struct local_response local_text(struct span type, struct span body)
{
	return (struct local_response){ .response = LOCAL_RESPONSE_TEXT,
					.type = type,
					.body = body };
}

static bool asks_for_health(const struct request *r)
{
	struct span path = r->listener->health, target = msg_target(r->head);
	return path.n && target.n >= path.n && !memcmp(target.at, path.at, path.n) &&
	       (target.n == path.n || target.at[path.n] == '?');
}

/*
 * The health path is for a load balancer in front of this one: a cluster that is down is no reason
 * to choose another balancer.
 */
static struct local_response local_health(const struct exchanges *d, struct request *r)
{
	enum method method = (enum method)r->head->method;
	r->notes = NULL; /* health checks would fill the access log */
	if (method != METHOD_GET && method != METHOD_HEAD)
		return local_error(ERR_METHOD_NOT_ALLOWED);
	if (d->draining)
		return local_error(ERR_STOPPING);
	return local_text(SPAN("text/plain"), SPAN("ok\n"));
}

/* Only the first loop is logged; all are counted. */
static void log_loop(struct exchanges *d, const struct request *r)
{
	char text[ADDR_TEXT_BYTES];
	if (d->loop_said)
		return;
	d->loop_said = true;
	addr_host_text(&r->client, text);
	log_line(LOG_ERROR,
		 "worker %u: a request from %s got status 508: %s Further ones are counted, not "
		 "logged",
		 d->worker, text, err_sentence(ERR_LOOP));
}

static struct local_response local_by_method(const struct request *r)
{
	switch (recipient_of(r->head)) {
	case RECIPIENT_TRACE:
		return local_error(ERR_METHOD_TRACE);
	case RECIPIENT_BAD_HOPS:
		return local_error(ERR_MAX_FORWARDS);
	case RECIPIENT_HERE:
		return (struct local_response){ .response = LOCAL_RESPONSE_OPTIONS };
	case RECIPIENT_CLUSTER:
		break;
	}
	return (struct local_response){ .response = LOCAL_RESPONSE_NONE };
}

static struct local_response local_by_sniffing(struct exchanges *d, const struct request *r)
{
	struct span address;
	switch (sniffing_meets(d, r, &address)) {
	case SNIFFING_REFUSE:
		return local_error(ERR_SNIFFING);
	case SNIFFING_RESPOND:
		return local_text(SPAN("application/json"), sniffing_text(r->arena, address));
	default:
		return (struct local_response){ .response = LOCAL_RESPONSE_NONE };
	}
}

struct local_response local_response_to(struct exchanges *d, struct request *r)
{
	enum method method = (enum method)r->head->method;
	struct local_response h = { .response = LOCAL_RESPONSE_NONE };
	/* Before the health path: a health check that Crossfade itself sent here must fail. */
	if (hop_goes_round(r->head, &d->hop)) {
		log_loop(d, r);
		return local_error(ERR_LOOP);
	}
	if (asks_for_health(r))
		return local_health(d, r);
	if (method == METHOD_OTHER || method >= METHOD_OPTIONS)
		h = local_by_method(r);
	if (h.response == LOCAL_RESPONSE_NONE && r->plan->sniffing && sniffing_asks(r->head))
		h = local_by_sniffing(d, r);
	return h;
}
