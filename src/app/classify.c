#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/terminal.h"
#include "base/limits.h"
#include "control/suggest.h"
#include "http/h1_parse.h"
#include "proxy/class.h"
#include "replay/operation.h"

static const char *const profiles[] = { "http", "opensearch" };
#define PROFILE_N (sizeof profiles / sizeof profiles[0])

static int complain_about_profile(const struct command *c, const char *word)
{
	struct suggestion near;
	suggest_open(&near, word);
	for (size_t i = 0; i < PROFILE_N; i++)
		suggest_consider(&near, profiles[i]);
	if (near.word)
		return command_misused(c, "--profile %s is not known; did you mean %s?", word,
				       near.word);
	return command_misused(c, "--profile %s is not known; it can be http or opensearch", word);
}

static bool find_profile(const char *word, enum profile *profile)
{
	*profile = PROFILE_OPENSEARCH;
	for (size_t i = 0; word && i < PROFILE_N; i++)
		if (!strcmp(word, profiles[i]))
			*profile = (enum profile)i;
	return !word || !strcmp(word, profiles[*profile]);
}

/*
 * Parses the request as the balancer does: an absolute target becomes a path, and invalid requests
 * are refused. HTTP/1.0, because that needs no Host.
 */
static enum err read_request(struct msg *m, struct arena *arena, const char *method,
			     const char *target)
{
	size_t room = strlen(method) + strlen(target) + sizeof "  HTTP/1.0\r\n\r\n", used;
	char *text = arena_take(arena, room);
	int n = snprintf(text, room, "%s %s HTTP/1.0\r\n\r\n", method, target);
	struct h1_parser p;
	if (strpbrk(target, "\r\n"))
		return ERR_TARGET;
	msg_open(m, arena, MSG_REQUEST);
	h1_parse_request(&p, m);
	enum h1_progress progress = h1_parse(&p, (struct span){ text, (size_t)n }, &used);
	if (progress == H1_BAD)
		return p.err;
	return progress == H1_DONE && used == (size_t)n ? ERR_NONE : ERR_REQUEST_LINE;
}

/* What replay makes of such a request once it has been answered. */
static const char *classify_replay(enum profile profile, struct classed c, enum method method,
				   struct span target)
{
	if (profile == PROFILE_HTTP)
		return c.class == CLASS_WRITE ? "request" : "nothing";
	struct operation o = operation_of(method, target);
	return operation_effect(&o);
}

static void classify_print(const struct msg *m, enum profile profile, bool json)
{
	struct span target = msg_target(m), method = msg_method(m);
	enum method kind = (enum method)m->method;
	struct classed c = class_of(profile, kind, target);
	char room[CLASS_RULE_BYTES];
	const char *rule = class_rule_text(c, room), *class = class_name((enum class)c.class);
	const char *replay = classify_replay(profile, c, kind, target);
	if (!json) {
		printf("%s, %s%s: %s\nreplay: %s\n", class,
		       c.repeatable ? "repeatable" : "not repeatable",
		       c.in_parts ? ", in parts" : "", rule, replay);
		return;
	}
	json_t *all = json_pack("{s:s%,s:s%,s:s,s:s,s:b,s:b,s:s,s:s}", "method", method.at,
				method.n, "target", target.at, target.n, "profile",
				profiles[profile], "class", class, "repeatable", c.repeatable,
				"in_parts", c.in_parts, "rule", rule, "replay", replay);
	terminal_put_json(all, stdout);
	putchar('\n');
	json_decref(all);
}

static int classify_request(const char *method, const char *target, enum profile profile, bool json)
{
	struct slab chunks;
	struct arena arena;
	struct msg m;
	slab_open(&chunks, ARENA_CHUNK_BYTES, 1);
	arena_open(&arena, &chunks);
	enum err err = read_request(&m, &arena, method, target);
	if (err)
		fprintf(stderr, "crossfade classify: this is not a valid request: %s\n",
			err_sentence(err));
	else
		classify_print(&m, profile, json);
	arena_close(&arena);
	slab_close(&chunks);
	return err ? EXIT_NO : EXIT_OK;
}

int command_classify(const struct command *c, int argc, char **argv)
{
	const char *word = NULL, *output = NULL;
	enum profile profile;
	bool json;
	const struct command_option options[] = { { 0, "profile", &word, NULL },
						  { 'o', "output", &output, NULL } };
	int code, operands = command_options(c, argc, argv, options, 2, &code);
	if (operands < 0)
		return code;
	if (operands != 2)
		return command_misused(c, "a METHOD and a PATH are expected");
	if (!find_profile(word, &profile))
		return complain_about_profile(c, word);
	if (!command_wants_json(c, output, &json))
		return EXIT_USAGE;
	return classify_request(argv[1], argv[2], profile, json);
}
