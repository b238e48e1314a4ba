#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/stopped_state.h"
#include "base/clock.h"
#include "base/limits.h"
#include "control/audit.h"
#include "control/config_read.h"
#include "control/evidence.h"

static void say_weights(const char *what, const struct state_values *v)
{
	printf("%-28s source %u, target %u (epoch %llu)%s\n", what, v->weights[ARM_SOURCE],
	       v->weights[ARM_TARGET], (unsigned long long)v->epoch,
	       v->rolled_back ? ", by a rollback" : "");
}

static void say_evidence(const struct evidence *e, const struct state_values *kept)
{
	if (kept->epoch)
		say_weights("the state file:", kept);
	else
		printf("%-28s nothing that can be used\n", "the state file:");
	if (e->audited.epoch)
		say_weights("the last line of the audit:", &e->audited);
	else
		printf("%-28s no change of the weights\n", "the audit:");
	if (e->audit[0])
		printf("%-28s %s\n", "", e->audit);
	if (e->logged.epoch)
		printf("%-28s to the %s (epoch %llu)\n",
		       "the log's newest request:", e->logged.target ? "target" : "source",
		       (unsigned long long)e->logged.epoch);
	else if (e->logged.requests)
		printf("%-28s only requests that no weights decided\n", "the log:");
}

static void ask_for_weights(const struct evidence *e)
{
	const char *why = "no file says which weights were in force last";
	if (e->audit_damaged)
		why = "lines of the audit log are damaged, so its last readable line may not be "
		      "the last change";
	else if (e->logged.epoch)
		why = "the log has requests of a later epoch than the state and the audit log. "
		      "They "
		      "show where each of them went, but not what the weights were, nor whether "
		      "the "
		      "weights were changed after the last of them";
	else if (e->logged.requests)
		why = "the log has requests, but no weights decided where they went";
	fprintf(stderr,
		"\ncrossfade recover: nothing was changed: %s. Give the weights that were in force "
		"last, or that are to be in force now: `crossfade recover -c FILE SOURCE TARGET`, "
		"such as 1 0 to send all to the source\n",
		why);
}

enum choice {
	CHOICE_NONE, /* the user must give the weights */
	CHOICE_KEPT, /* the saved state is good */
	CHOICE_MADE,
};

/* Chooses the weights to be in force: those of the command line, if there are any. */
static enum choice recover_choose(const struct evidence *e, const struct state_values *kept,
				  const uint32_t *given, struct state_values *to)
{
	char why[EVIDENCE_TEXT_BYTES];
	if (kept->epoch && evidence_allows(e, kept, why)) {
		printf("\nThe state is good: nothing was changed.\n");
		return CHOICE_KEPT;
	}
	if (!evidence_weights(e, kept, to) && !given) {
		ask_for_weights(e);
		return CHOICE_NONE;
	}
	if (given) {
		memcpy(to->weights, given, sizeof to->weights);
		to->rolled_back = false;
	}
	to->wall_ns = clock_wall_ns();
	return CHOICE_MADE;
}

static bool recover_write_audit(const struct config *c, const struct state_values *from,
				const struct state_values *to)
{
	struct audit a;
	const struct audit_entry e = {
		"crossfade recover", "the state was lost", *from, *to, true, false, 0, 0
	};
	bool good = audit_open(&a, c->state) && audit_append(&a, &e);
	if (!good)
		fprintf(stderr, "crossfade recover: cannot write %s/" AUDIT_FILE ": %s\n", c->state,
			strerror(errno));
	audit_close(&a);
	return good;
}

static bool recover_put_back(const struct config *c, struct state *s,
			     const struct state_values *kept, const struct state_values *to)
{
	if (!recover_write_audit(c, kept, to))
		return false;
	if (!state_save(s, to)) {
		fprintf(stderr, "crossfade recover: the state cannot be saved: %s\n",
			strerror(errno));
		return false;
	}
	say_weights("\nin force at the next start:", to);
	return true;
}

static int recover_state(const struct config *c, const uint32_t *given)
{
	struct evidence e;
	struct state s;
	struct state_values kept, to;
	enum state_trouble trouble;
	evidence_look(&e, c);
	if (!state_open(&s, c->state, &kept, &trouble)) {
		fprintf(stderr, "crossfade recover: cannot use %s/weights: %s\n", c->state,
			strerror(errno));
		return EXIT_NO;
	}
	if (trouble == STATE_NEWER) {
		fprintf(stderr, "crossfade recover: %s/weights: %s, and run this again\n", c->state,
			state_trouble_text(trouble));
		state_close(&s);
		return EXIT_NO;
	}
	say_evidence(&e, &kept);
	enum choice choice = recover_choose(&e, &kept, given, &to);
	bool good =
		choice == CHOICE_MADE ? recover_put_back(c, &s, &kept, &to) : choice == CHOICE_KEPT;
	state_close(&s);
	return good ? EXIT_OK : EXIT_NO;
}

static bool recover_read_weight(const char *text, uint32_t *to)
{
	unsigned long long n;
	bool good = span_to_u64(span_of(text), WEIGHT_MAX, &n);
	*to = good ? (uint32_t)n : 0;
	return good;
}

int command_recover(const struct command *c, int argc, char **argv)
{
	const char *path = NULL;
	uint32_t given[ARMS] = { 0 };
	const struct command_option options[] = { { 'c', "config", &path, NULL } };
	int code, operands = command_options(c, argc, argv, options, 1, &code);
	if (operands < 0)
		return code;
	if (!path)
		return command_misused(c, "-c FILE is missing: the path of the configuration");
	if (operands != 0 && operands != 2)
		return command_misused(c, "both weights are expected, or none");
	if (operands && (!recover_read_weight(argv[1], &given[ARM_SOURCE]) ||
			 !recover_read_weight(argv[2], &given[ARM_TARGET]) ||
			 given[ARM_SOURCE] + given[ARM_TARGET] == 0))
		return command_misused(c, "weights are from 0 to 999, and not both 0");
	struct config *config = config_open(path);
	code = EXIT_NO;
	if (config->diagnostics.n) {
		diagnostics_print(&config->diagnostics, stderr);
	} else if (stopped_state_lock(c->name, config)) {
		code = recover_state(config, operands ? given : NULL);
	}
	config_close(config);
	return code;
}
