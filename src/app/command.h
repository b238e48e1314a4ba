#ifndef APP_COMMAND_H
#define APP_COMMAND_H

/* The commands of the program: one row in commands.c and one file for each. */

#include <stdbool.h>
#include <stddef.h>

/* The exit codes of the program. Scripts rely on them. */
enum {
	EXIT_OK = 0,
	EXIT_NO = 1,		 /* the answer is no, or something failed */
	EXIT_USAGE = 2,		 /* the command line is wrong */
	EXIT_UNREACHABLE = 3,	 /* no balancer responds */
	EXIT_UNACKNOWLEDGED = 4, /* done, but not every worker has confirmed it */
};

struct command {
	const char *name;
	const char *arguments; /* "[SOURCE TARGET] [--reason TEXT]" */
	const char *summary;   /* one line, for the list */
	const char *help;      /* the text of --help, below the summary */
	/* argv[0] is the command's name. Returns the exit code. */
	int (*run)(const struct command *c, int argc, char **argv);
};

int command_capture(const struct command *c, int argc, char **argv);
int command_check(const struct command *c, int argc, char **argv);
int command_classify(const struct command *c, int argc, char **argv);
int command_compare(const struct command *c, int argc, char **argv);
int command_demo(const struct command *c, int argc, char **argv);
int command_drain(const struct command *c, int argc, char **argv);
int command_history(const struct command *c, int argc, char **argv);
int command_init(const struct command *c, int argc, char **argv);
int command_ready(const struct command *c, int argc, char **argv);
int command_owner(const struct command *c, int argc, char **argv);
int command_recover(const struct command *c, int argc, char **argv);
int command_reload(const struct command *c, int argc, char **argv);
int command_replay(const struct command *c, int argc, char **argv);
int command_rollback(const struct command *c, int argc, char **argv);
int command_run(const struct command *c, int argc, char **argv);
int command_smoke(const struct command *c, int argc, char **argv);
int command_status(const struct command *c, int argc, char **argv);
int command_stop(const struct command *c, int argc, char **argv);
int command_trace(const struct command *c, int argc, char **argv);
int command_upgrade(const struct command *c, int argc, char **argv);
int command_weights(const struct command *c, int argc, char **argv);

void command_print_help(const struct command *c);

/* Prints the diagnostic on standard error, with a hint to --help. Returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int command_misused(const struct command *c,
							  const char *format, ...);

/* --- options --- */

struct command_option {
	char letter; /* 0: the option has only a long name */
	const char *name;
	const char **text; /* gets the argument; NULL: the option has none */
	bool *flag;	   /* set when the option has no argument */
};

#define OPTIONS(list) (list), sizeof(list) / sizeof(list)[0]

/*
 * Reads the options, which may stand anywhere, and handles --help. Returns the number of operands,
 * which are at argv[1] and following then; or -1: *code is the exit code.
 */
int command_options(const struct command *c, int argc, char **argv,
		    const struct command_option *options, size_t option_n, int *code);

/*
 * `reason` NULL: none was given. Refuses an empty one, which would be useless in the audit log.
 * False after a diagnostic.
 */
bool command_takes_reason(const struct command *c, const char *reason);

/* Reads -o text|json. False after a diagnostic. */
bool command_wants_json(const struct command *c, const char *output, bool *json);

#endif
