#include <stdio.h>

#include "app/command.h"
#include "app/keeper.h"

int command_run(const struct command *c, int argc, char **argv)
{
	const char *config = NULL;
	const struct command_option options[] = { { 'c', "config", &config, NULL } };
	int code;
	int operands = command_options(c, argc, argv, options, 1, &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!config)
		return command_misused(c, "-c FILE is missing: the configuration");
	return keeper_run(config);
}
