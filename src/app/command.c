#include "app/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "control/suggest.h"

#define OPTIONS_MAX 16
#define HELP_LETTER 'h'

void command_print_help(const struct command *c)
{
	printf("crossfade %s%s%s\n\n%s\n", c->name, c->arguments[0] ? " " : "", c->arguments,
	       c->summary);
	if (c->help[0])
		printf("\n%s", c->help);
}

int command_misused(const struct command *c, const char *format, ...)
{
	va_list args;
	fprintf(stderr, "crossfade %s: ", c->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry `crossfade %s --help`.\n", c->name);
	return EXIT_USAGE;
}

bool command_wants_json(const struct command *c, const char *output, bool *json)
{
	*json = output && !strcmp(output, "json");
	if (!output || *json || !strcmp(output, "text"))
		return true;
	command_misused(c, "-o %s: it can be text or json", output);
	return false;
}

bool command_takes_reason(const struct command *c, const char *reason)
{
	if (reason && !reason[strspn(reason, " ")])
		command_misused(c, "--reason is empty: say why, or leave it out");
	else
		return true;
	return false;
}

/*
 * Describes the options twice, as getopt_long() needs it. Each long option returns 1 + its row
 * number; --help returns HELP_LETTER.
 */
static void describe_options(const struct command_option *options, size_t n, char *letters,
			     struct option *names)
{
	*letters++ = ':';
	*letters++ = HELP_LETTER;
	for (size_t i = 0; i < n; i++) {
		names[i] = (struct option){ options[i].name,
					    options[i].text ? required_argument : no_argument, NULL,
					    (int)i + 1 };
		if (options[i].letter)
			*letters++ = options[i].letter;
		if (options[i].letter && options[i].text)
			*letters++ = ':';
	}
	*letters = 0;
	names[n] = (struct option){ "help", no_argument, NULL, HELP_LETTER };
	names[n + 1] = (struct option){ 0 };
}

static const struct command_option *find_option(const struct command_option *options, size_t n,
						int which)
{
	for (size_t i = 0; i < n; i++)
		if (which == (int)i + 1 || (options[i].letter && which == options[i].letter))
			return &options[i];
	return NULL;
}

/* getopt tells which short option is wrong in optopt; of a long option, only its place in argv. */
static int complain_of_option(const struct command *c, const struct command_option *options,
			      size_t n, const char *word, bool wants_argument)
{
	struct suggestion near;
	if (strncmp(word, "--", 2) != 0)
		return command_misused(
			c, wants_argument ? "-%c wants an argument" : "-%c is not known here",
			optopt);
	if (wants_argument)
		return command_misused(c, "%s wants an argument", word);
	size_t name_n = strcspn(word, "=");
	if (word[name_n] && optopt)
		return command_misused(c, "%.*s takes no argument", (int)name_n, word);
	suggest_open(&near, word + 2);
	for (size_t i = 0; i < n; i++)
		suggest_consider(&near, options[i].name);
	if (near.word)
		return command_misused(c, "%s is not known here; did you mean --%s?", word,
				       near.word);
	return command_misused(c, "%s is not known here", word);
}

int command_options(const struct command *c, int argc, char **argv,
		    const struct command_option *options, size_t option_n, int *code)
{
	char letters[2 * OPTIONS_MAX + 3];
	struct option names[OPTIONS_MAX + 2];
	must(option_n <= OPTIONS_MAX);
	describe_options(options, option_n, letters, names);
	optind = 1;
	opterr = 0;
	for (int which; (which = getopt_long(argc, argv, letters, names, NULL)) != -1;) {
		const struct command_option *o = find_option(options, option_n, which);
		if (which == HELP_LETTER) {
			command_print_help(c);
			*code = EXIT_OK;
			return -1;
		}
		if (which == ':' || !o) {
			*code = complain_of_option(c, options, option_n, argv[optind - 1],
						   which == ':');
			return -1;
		}
		if (o->text)
			*o->text = optarg;
		else
			*o->flag = true;
	}
	/* getopt has moved the operands to the end of argv. */
	memmove(argv + 1, argv + optind, (size_t)(argc - optind + 1) * sizeof *argv);
	return argc - optind;
}
