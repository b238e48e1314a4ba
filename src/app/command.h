#ifndef APP_COMMAND_H
#define APP_COMMAND_H

/* The commands of the program: one row in main.c and one file each. */

#include <stdbool.h>
#include <stddef.h>

/* What the program exits with; promised to scripts. */
enum {
	EXIT_OK = 0,
	EXIT_NO = 1,		 /* the answer is no, or it went wrong */
	EXIT_USAGE = 2,		 /* the command line makes no sense */
	EXIT_UNREACHABLE = 3,	 /* no balancer answers */
	EXIT_UNACKNOWLEDGED = 4, /* done, but not every worker has said so */
};

struct command {
	const char *name;
	const char *arguments; /* "[SOURCE TARGET] [--reason TEXT]" */
	const char *summary;   /* one line, for the list */
	const char *help;      /* further lines */
	/* argv[0] is the command's name. Returns the exit code. */
	int (*run)(const struct command *c, int argc, char **argv);
};

int command_capture(const struct command *c, int argc, char **argv);
int command_check(const struct command *c, int argc, char **argv);
int command_classify(const struct command *c, int argc, char **argv);
int command_demo(const struct command *c, int argc, char **argv);
int command_drain(const struct command *c, int argc, char **argv);
int command_history(const struct command *c, int argc, char **argv);
int command_init(const struct command *c, int argc, char **argv);
int command_ready(const struct command *c, int argc, char **argv);
int command_recover(const struct command *c, int argc, char **argv);
int command_reload(const struct command *c, int argc, char **argv);
int command_rollback(const struct command *c, int argc, char **argv);
int command_run(const struct command *c, int argc, char **argv);
int command_smoke(const struct command *c, int argc, char **argv);
int command_status(const struct command *c, int argc, char **argv);
int command_stop(const struct command *c, int argc, char **argv);
int command_upgrade(const struct command *c, int argc, char **argv);
int command_weights(const struct command *c, int argc, char **argv);

void command_print_help(const struct command *c);

/* Complains on standard error, with a hint to --help; returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int command_misused(const struct command *c,
							  const char *format, ...);

/* --- options --- */

struct command_option {
	char letter; /* 0: it has a long name only */
	const char *name;
	const char **text; /* gets the argument; NULL: it has none */
	bool *flag;	   /* of one without an argument */
};

#define OPTIONS(list) (list), sizeof(list) / sizeof(list)[0]

/*
 * Reads options, wherever they stand; --help is answered here. The number of operands, which stand
 * at argv[1] afterwards; or -1, and *code is what to exit with.
 */
int command_options(const struct command *c, int argc, char **argv,
		    const struct command_option *options, size_t option_n, int *code);

/* NULL is none; an empty one says nothing to who reads the audit. False after a complaint. */
bool command_takes_reason(const struct command *c, const char *reason);

/* -o text|json. False after a complaint. */
bool command_wants_json(const struct command *c, const char *output, bool *json);

#endif
