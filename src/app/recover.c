#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/command.h"
#include "base/clock.h"
#include "base/limits.h"
#include "control/audit.h"
#include "control/evidence.h"
#include "io/own_file.h"

/* What we made there the balancer's own user could not use. */
static bool is_its_user(const struct config *c)
{
	struct stat s;
	if (stat(c->state, &s) || s.st_uid == geteuid())
		return true;
	fprintf(stderr, "crossfade recover: %s belongs to user %u: run this as that user\n",
		c->state, (unsigned)s.st_uid);
	return false;
}

static bool lock_or_complain(int fd, const char *directory)
{
	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		return true;
	if (fd >= 0 && errno == EWOULDBLOCK)
		fprintf(stderr,
			"crossfade recover: a balancer is running on %s: what it has in force "
			"stands\n",
			directory);
	else
		fprintf(stderr, "crossfade recover: cannot lock %s: %s\n", directory,
			strerror(errno));
	return false;
}

/*
 * While a balancer runs, what it has in force is the state. It holds the directory and the file, as
 * we do until we end. False after a complaint.
 */
static bool lock_state(const struct config *c)
{
	return lock_or_complain(open(c->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), c->state) &&
	       lock_or_complain(own_file_open_in(c->state, "lock", O_RDWR | O_CREAT, 0600),
				c->state);
}

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
		printf("%-28s a request to the %s (epoch %llu)\n",
		       "the newest of the log:", e->logged.target ? "target" : "source",
		       (unsigned long long)e->logged.epoch);
	else if (e->logged.requests)
		printf("%-28s requests that no weights decided\n", "the log:");
}

static void ask_for_weights(const struct evidence *e)
{
	const char *why = "nothing says what was in force last";
	if (e->audit_damaged)
		why = "lines of the audit are damaged, and its last word may not be the last";
	else if (e->logged.epoch)
		why = "the log has requests of a later epoch than all else: they say where each of "
		      "them went, and neither what the weights were nor whether they were changed "
		      "behind the last of them";
	else if (e->logged.requests)
		why = "the log has requests, and no weights decided where they went";
	fprintf(stderr,
		"\ncrossfade recover: nothing was changed: %s. Who knows what was in force last, "
		"or "
		"what is to be now, must say it: `crossfade recover -c FILE SOURCE TARGET`, as 1 0 "
		"for all to the source\n",
		why);
}

enum choice {
	CHOICE_NONE, /* somebody must say it */
	CHOICE_KEPT, /* the state is good */
	CHOICE_MADE,
};

/* What is to be in force: the operands', where there are some. */
static enum choice choose(const struct evidence *e, const struct state_values *kept,
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

static bool write_audit(const struct config *c, const struct state_values *from,
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

static bool put_back(const struct config *c, struct state *s, const struct state_values *kept,
		     const struct state_values *to)
{
	if (!write_audit(c, kept, to))
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
	bool damaged;
	evidence_look(&e, c);
	if (!state_open(&s, c->state, &kept, &damaged)) {
		fprintf(stderr, "crossfade recover: cannot use %s/weights: %s\n", c->state,
			strerror(errno));
		return EXIT_NO;
	}
	say_evidence(&e, &kept);
	enum choice choice = choose(&e, &kept, given, &to);
	bool good = choice == CHOICE_MADE ? put_back(c, &s, &kept, &to) : choice == CHOICE_KEPT;
	state_close(&s);
	return good ? EXIT_OK : EXIT_NO;
}

static bool read_weight(const char *text, uint32_t *to)
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
		return command_misused(c, "-c FILE is missing: the configuration");
	if (operands != 0 && operands != 2)
		return command_misused(c, "both weights are expected, or none");
	if (operands && (!read_weight(argv[1], &given[ARM_SOURCE]) ||
			 !read_weight(argv[2], &given[ARM_TARGET]) ||
			 given[ARM_SOURCE] + given[ARM_TARGET] == 0))
		return command_misused(c, "weights are from 0 to 999, and not both 0");
	struct config *config = config_open(path);
	code = EXIT_NO;
	if (config->complaints.n) {
		complaints_print(&config->complaints, stderr);
	} else if (is_its_user(config) && lock_state(config)) {
		code = recover_state(config, operands ? given : NULL);
	}
	config_close(config);
	return code;
}
