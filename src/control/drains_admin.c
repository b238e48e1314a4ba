#include "control/drains_admin.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "control/admin_body.h"
#include "control/duration.h"
#include "control/suggest.h"

/* --- the path --- */

static int name_hex_digit(char c)
{
	const char *digits = "0123456789abcdefABCDEF", *at = c ? strchr(digits, c) : NULL;
	return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* Clients percent-encode brackets, and some clients colons: RFC 3986, 2.1. */
static bool name_decode(struct span s, char *to, size_t bytes)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++, n++) {
		char c = s.at[i];
		if (c == '%') {
			int high = i + 2 < s.n ? name_hex_digit(s.at[i + 1]) : -1;
			int low = i + 2 < s.n ? name_hex_digit(s.at[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c <= ' ' || c > '~' || n + 1 >= bytes)
			return false;
		to[n] = c;
	}
	to[n] = 0;
	return n > 0;
}

bool drains_read_path(struct span path, char name[NODE_NAME_BYTES])
{
	static const char before[] = "/v1/nodes/", behind[] = "/state";
	size_t before_n = sizeof before - 1, behind_n = sizeof behind - 1;
	if (path.n <= before_n + behind_n || memcmp(path.at, before, before_n) != 0 ||
	    memcmp(path.at + path.n - behind_n, behind, behind_n) != 0)
		return false;
	struct span middle = { path.at + before_n, path.n - before_n - behind_n };
	return name_decode(middle, name, NODE_NAME_BYTES);
}

/* --- the body --- */

static bool drain_read_state(const char *state, struct drain_change *c,
			     char error[DRAINS_TEXT_BYTES])
{
	c->drain = !strcmp(state, "drain");
	if (c->drain || !strcmp(state, "ready"))
		return true;
	snprintf(error, DRAINS_TEXT_BYTES, "state must be drain or ready, not '%.100s'", state);
	return false;
}

static bool drain_read_delay(const char *delay, struct drain_change *c,
			     char error[DRAINS_TEXT_BYTES])
{
	uint64_t ms = DRAIN_DELAY_MS;
	if (delay && !c->drain) {
		snprintf(error, DRAINS_TEXT_BYTES, "a delay is only possible with a drain");
		return false;
	}
	if (delay && (!duration_read(delay, &ms) || ms > DRAIN_DELAY_MAX_MS)) {
		snprintf(error, DRAINS_TEXT_BYTES,
			 "delay must be a duration from 0s to 1d, such as 300s, not '%.100s'",
			 delay);
		return false;
	}
	c->delay_ms = c->drain ? (uint32_t)ms : 0;
	return true;
}

bool drains_read_body(struct span body, struct drain_change *c, char error[DRAINS_TEXT_BYTES])
{
	json_error_t why;
	const char *state, *delay = NULL, *reason = NULL, *who = NULL;
	int force = 0;
	json_t *j = admin_body_parse(body, error);
	if (!j)
		return false;
	bool good = json_unpack_ex(j, &why, 0, "{s:s,s?s,s?s,s?s,s?b!}", "state", &state, "delay",
				   &delay, "reason", &reason, "who", &who, "force", &force) == 0;
	c->force = force;
	if (!good)
		admin_body_say_why(&why, error);
	good = good && drain_read_state(state, c, error) && drain_read_delay(delay, c, error) &&
	       admin_body_take_text("reason", reason, c->why, error) &&
	       admin_body_take_text("who", who, c->who, error);
	json_decref(j);
	return good;
}

/* --- the node --- */

static void suggest_near(const struct nodes *s, const char *name, char error[2 * DRAINS_TEXT_BYTES])
{
	struct suggestion near;
	const char *scheme = strstr(name, "://");
	suggest_open(&near, scheme ? scheme + 3 : name);
	for (size_t i = 0; i < s->n; i++)
		suggest_consider(&near, s->list[i]->name);
	int n = snprintf(error, 2 * DRAINS_TEXT_BYTES, "there is no node '%.200s'", name);
	if (near.word)
		snprintf(error + n, 2 * DRAINS_TEXT_BYTES - (size_t)n, "; did you mean '%.200s'?",
			 near.word);
	else
		snprintf(error + n, 2 * DRAINS_TEXT_BYTES - (size_t)n,
			 "; `crossfade status` shows their names");
}

struct node_record *drains_find(const struct nodes *s, const char *name,
				char error[2 * DRAINS_TEXT_BYTES])
{
	struct node_search found = nodes_search(s, name);
	char full[NODE_NAME_BYTES];
	if (found.n == 1)
		return found.node;
	if (found.n == 0)
		suggest_near(s, name, error);
	else
		snprintf(error, 2 * DRAINS_TEXT_BYTES,
			 "%u nodes are called %.150s; use a full name, such as %s", found.n, name,
			 node_full_name(found.node, full));
	return NULL;
}

/* --- the response --- */

json_t *drains_json(const struct drain_change *c)
{
	static const char *const words[] = { "ready", "drain" };
	return json_pack("{s:s,s:s,s:s,s:I,s:b,s:i,s:b,s:b}", "node", c->name, "state",
			 words[c->drain], "before", words[c->was_drained], "delay_ms",
			 (json_int_t)c->delay_ms, "acknowledged", c->late_n == 0, "late",
			 (int)c->late_n, "saved", c->error == 0, "all_drained",
			 c->drain && c->all_drained);
}
