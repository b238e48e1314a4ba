#include "control/contexts.h"

#include <stdlib.h>

static void *contexts_take(struct arena *arena, size_t n, size_t bytes)
{
	void *memory = arena_take(arena, n * bytes);
	memset(memory, 0, n * bytes);
	return memory;
}

/* --- hashes of what they are made of --- */

static XXH3_state_t *digest_open(unsigned number)
{
	XXH3_state_t *state = XXH3_createState();
	if (!state || XXH3_128bits_reset(state) == XXH_ERROR)
		abort();
	XXH3_128bits_update(state, &number, sizeof number);
	return state;
}

static void digest_text(XXH3_state_t *state, const char *text)
{
	if (text)
		XXH3_128bits_update(state, text, strlen(text) + 1);
}

static XXH128_hash_t digest_close(XXH3_state_t *state)
{
	XXH128_hash_t hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	return hash;
}

/* --- certificates --- */

static XXH128_hash_t digest_of_certificate(const struct config_certificate *c)
{
	XXH3_state_t *state = digest_open(0);
	digest_text(state, c->certificate.text);
	digest_text(state, c->key.text);
	digest_text(state, c->certificate.path);
	return digest_close(state);
}

static const struct certificates_one *certificates_find(const struct certificates *s,
							XXH128_hash_t made_of)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (XXH128_isEqual(s->list[i].made_of, made_of))
			return &s->list[i];
	return NULL;
}

/*
 * The certificate is read once. The other workers get copies where that is possible, which is
 * faster.
 */
static bool certificate_open(struct certificates_one *to, const struct config_certificate *from,
			     const struct front_contexts *how, struct diagnostics *diagnostics)
{
	char error[TLS_ERROR_BYTES];
	for (unsigned i = 0; i < how->worker_n; i++) {
		if (i > 0)
			to->of[i] = tls_certificate_copy(how->libraries[i], to->of[0]);
		if (!to->of[i])
			to->of[i] = tls_certificate_open(how->libraries[i], from->certificate.text,
							 from->key.text, error);
		if (!to->of[i]) {
			diagnose(diagnostics, from->certificate.at, "tls: %s", error);
			return false;
		}
		tls_certificate_call(to->of[i], from->certificate.path);
	}
	return true;
}

bool certificates_open(struct certificates *s, const struct front_contexts *how,
		       const struct certificates *before, struct arena *arena,
		       struct diagnostics *to)
{
	bool good = true;
	*s = (struct certificates){ .worker_n = how->worker_n };
	for (const struct config_certificate *c = &how->tls->certificate; c; c = c->next)
		s->n++;
	s->list = contexts_take(arena, s->n, sizeof *s->list);
	struct certificates_one *one = s->list;
	for (const struct config_certificate *c = &how->tls->certificate; c; c = c->next, one++) {
		one->made_of = digest_of_certificate(c);
		one->of = contexts_take(arena, s->worker_n, sizeof(struct tls_certificate *));
		const struct certificates_one *same = certificates_find(before, one->made_of);
		for (unsigned i = 0; same && i < s->worker_n; i++)
			one->of[i] = tls_certificate_hold(same->of[i]);
		good &= same || certificate_open(one, c, how, to);
	}
	return good;
}

void certificates_close(struct certificates *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (unsigned k = 0; s->list[i].of && k < s->worker_n; k++)
			if (s->list[i].of[k])
				tls_certificate_drop(s->list[i].of[k]);
	s->n = 0;
}

/* --- contexts --- */

static bool contexts_reuse(struct contexts *to, const struct contexts *from)
{
	if (!from || !from->list || from->n != to->n || !XXH128_isEqual(from->made_of, to->made_of))
		return false;
	for (unsigned i = 0; i < to->n; i++) {
		to->list[i] = from->list[i];
		tls_context_hold(to->list[i]);
	}
	return true;
}

static const struct config_certificate *certificate_at(const struct config_tls *t, size_t i)
{
	const struct config_certificate *c = &t->certificate;
	while (i--)
		c = c->next;
	return c;
}

static XXH128_hash_t digest_of_front(const struct front_contexts *how, const struct certificates *s)
{
	XXH3_state_t *state = digest_open(how->tls->policy);
	for (size_t i = 0; i < s->n; i++)
		XXH3_128bits_update(state, &s->list[i].made_of, sizeof s->list[i].made_of);
	return digest_close(state);
}

bool contexts_open_front(struct contexts *s, const struct front_contexts *how,
			 const struct certificates *certificates, const struct contexts *before,
			 struct arena *arena, struct diagnostics *to)
{
	struct tls_certificate *list[CERTIFICATES_MAX + 1];
	struct tls_server_config config = {
		.certificates = list,
		.certificate_n = certificates->n,
		.policy = (enum tls_policy)how->tls->policy,
		.tickets = how->tickets,
	};
	*s = (struct contexts){ .made_of = digest_of_front(how, certificates), .n = how->worker_n };
	s->list = contexts_take(arena, s->n, sizeof(struct tls_context *));
	if (contexts_reuse(s, before))
		return true;
	for (unsigned i = 0; i < s->n; i++) {
		char error[TLS_ERROR_BYTES];
		size_t wrong;
		for (size_t k = 0; k < certificates->n; k++)
			list[k] = certificates->list[k].of[i];
		s->list[i] = tls_server_open(how->libraries[i], &config, error, &wrong);
		if (s->list[i])
			continue;
		diagnose(to, certificate_at(how->tls, wrong)->certificate.at, "tls: %s", error);
		return false;
	}
	return true;
}

bool contexts_open_back(struct contexts *s, const struct back_contexts *how,
			const struct contexts *before, struct arena *arena, struct diagnostics *to)
{
	const struct config_cluster *from = how->cluster;
	struct tls_client_config config = { .ca = from->ca.text,
					    .verify = from->verify,
					    .legacy = from->tls };
	XXH3_state_t *state = digest_open(config.verify | config.legacy << 1);
	digest_text(state, config.ca);
	*s = (struct contexts){ .made_of = digest_close(state), .n = how->n };
	s->list = contexts_take(arena, s->n, sizeof(struct tls_context *));
	if (contexts_reuse(s, before))
		return true;
	for (unsigned i = 0; i < s->n; i++) {
		char error[TLS_ERROR_BYTES];
		s->list[i] = tls_client_open(how->libraries[i], &config, error);
		if (s->list[i])
			continue;
		diagnose(to, from->ca.path ? from->ca.at : from->head.at, "%s: %s: %s",
			 from->ca.path ? "ca" : how->name, from->ca.path ? from->ca.path : "TLS",
			 error);
		return false;
	}
	return true;
}

void contexts_close(struct contexts *s)
{
	for (unsigned i = 0; s->list && i < s->n; i++)
		if (s->list[i])
			tls_context_drop(s->list[i]);
	s->n = 0;
}
