#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/demo_cluster.h"
#include "app/handover.h"
#include "app/terminal.h"
#include "app/work.h"
#include "control/suggest.h"

static int print_usage(FILE *to, int code)
{
	fprintf(to,
		"crossfade %s: moves live HTTP traffic from one cluster to another, and back.\n\n"
		"usage: crossfade COMMAND [ARGUMENTS]\n\n",
		CROSSFADE_VERSION);
	size_t n;
	const struct command *commands = commands_list(&n);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fprintf(to,
		"\n`crossfade COMMAND --help` says more; `crossfade --version`, or -V, prints the "
		"version.\n"
		"Exit codes: 0 ok, 1 refused or failed, 2 wrong usage, 3 cannot reach the "
		"balancer,\n"
		"            4 done but not acknowledged by every worker.\n");
	return code;
}

static const struct command *find_command(const char *name)
{
	size_t n;
	const struct command *commands = commands_list(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int complain_about_command(const char *name)
{
	struct suggestion near;
	size_t n;
	const struct command *commands = commands_list(&n);
	suggest_open(&near, name);
	for (size_t i = 0; i < n; i++)
		suggest_consider(&near, commands[i].name);
	fprintf(stderr, "crossfade: there is no %s '%s'", name[0] == '-' ? "option" : "command",
		name);
	if (near.word)
		fprintf(stderr, "; did you mean '%s'?", near.word);
	fprintf(stderr, "\nTry `crossfade --help`.\n");
	return EXIT_USAGE;
}

/* `help COMMAND` means `COMMAND --help`; a command may have subcommands. */
static int print_help(int argc, char **argv)
{
	char option[] = "--help";
	char *words[] = { argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : option, option, NULL };
	const struct command *c = argc > 2 ? find_command(argv[2]) : NULL;
	if (argc > 2 && !c)
		return complain_about_command(argv[2]);
	return c ? c->run(c, 3, words) : print_usage(stdout, EXIT_OK);
}

int main(int argc, char **argv)
{
	terminal_guard_errors();
	if (argc < 2)
		return print_usage(stderr, EXIT_USAGE);
	const char *name = argv[1];
	if (!strcmp(name, "--version") || !strcmp(name, "-V") || !strcmp(name, "version")) {
		printf("crossfade %s\n", CROSSFADE_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
		return print_help(argc, argv);
	if (!strcmp(name, WORK_COMMAND))
		return work_main(argc - 1, argv + 1);
	if (!strcmp(name, HANDOVER_COMMAND))
		return handover_main(argc - 1, argv + 1);
	if (!strcmp(name, DEMO_CLUSTER_COMMAND))
		return demo_cluster_main(argc - 1, argv + 1);
	const struct command *c = find_command(name);
	return c ? c->run(c, argc - 1, argv + 1) : complain_about_command(name);
}
