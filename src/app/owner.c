#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/stopped_state.h"
#include "base/clock.h"
#include "control/audit.h"
#include "control/config_read.h"
#include "control/state.h"

static void say_owner(const struct state_values *v)
{
	printf("The %s owns the writes, since epoch %llu.\n", arm_name(v->owner),
	       (unsigned long long)v->since);
}

static bool owner_write_audit(const struct config *c, const char *reason,
			      const struct state_values *from, const struct state_values *to)
{
	struct audit a;
	const struct audit_entry e = {
		.who = "crossfade owner", .why = reason, .from = *from, .to = *to, .saved = true
	};
	bool good = audit_open(&a, c->state) && audit_append(&a, &e);
	if (!good)
		fprintf(stderr, "crossfade owner: cannot write %s/" AUDIT_FILE ": %s\n", c->state,
			strerror(errno));
	audit_close(&a);
	return good;
}

/* All weight goes with the writes. */
static struct state_values owner_values(const struct state_values *kept, enum arm owner)
{
	struct state_values to = *kept;
	to.epoch = to.since = kept->epoch + 1;
	to.owner = owner;
	to.weights[owner] = kept->weights[ARM_SOURCE] + kept->weights[ARM_TARGET];
	to.weights[arm_other(owner)] = 0;
	to.wall_ns = clock_wall_ns();
	to.rolled_back = false;
	return to;
}

static bool owner_change(const struct config *c, struct state *s, const struct state_values *kept,
			 enum arm owner, const char *reason)
{
	if (kept->owner == owner) {
		say_owner(kept);
		printf("Nothing was changed.\n");
		return true;
	}
	struct state_values to = owner_values(kept, owner);
	if (!owner_write_audit(c, reason, kept, &to))
		return false;
	if (!state_save(s, &to)) {
		fprintf(stderr, "crossfade owner: the state cannot be saved: %s\n",
			strerror(errno));
		return false;
	}
	say_owner(&to);
	printf("All requests go there from the next start on, and replay copies its writes to the "
	       "%s.\n",
	       arm_name(arm_other(owner)));
	return true;
}

/* `owner` is ARMS where it is only to be told. */
static bool owner_use(const struct config *c, enum arm owner, const char *reason)
{
	struct state s;
	struct state_values kept;
	enum state_trouble trouble;
	if (!state_open(&s, c->state, &kept, &trouble)) {
		fprintf(stderr, "crossfade owner: cannot use %s/weights: %s\n", c->state,
			strerror(errno));
		return false;
	}
	bool good = kept.epoch && trouble == STATE_FINE;
	if (!good)
		fprintf(stderr,
			"crossfade owner: %s/weights does not say what was in force last: see "
			"`crossfade recover`\n",
			c->state);
	else if (owner == ARMS)
		say_owner(&kept);
	else
		good = owner_change(c, &s, &kept, owner, reason);
	state_close(&s);
	return good;
}

static bool owner_find(const char *word, enum arm *to)
{
	for (*to = 0; *to < ARMS; ++*to)
		if (!strcmp(word, arm_name(*to)))
			return true;
	return false;
}

int command_owner(const struct command *c, int argc, char **argv)
{
	const char *path = NULL, *reason = NULL;
	enum arm owner = ARMS;
	const struct command_option options[] = { { 'c', "config", &path, NULL },
						  { 0, "reason", &reason, NULL } };
	int code, operands = command_options(c, argc, argv, options, 2, &code);
	if (operands < 0)
		return code;
	if (!path)
		return command_misused(c, "-c FILE is missing: the path of the configuration");
	if (operands > 1 || (operands && !owner_find(argv[1], &owner)))
		return command_misused(c, "source or target is expected, or nothing");
	struct config *config = config_open(path);
	code = EXIT_NO;
	if (config->diagnostics.n)
		diagnostics_print(&config->diagnostics, stderr);
	else if (stopped_state_lock(c->name, config) && owner_use(config, owner, reason))
		code = EXIT_OK;
	config_close(config);
	return code;
}
