#include <stdint.h>
#include <stdio.h>

#include "app/command.h"
#include "app/keeper.h"
#include "app/one_process.h"
#include "base/span.h"

int command_run(const struct command *c, int argc, char **argv)
{
	const char *config = NULL, *handed_over = NULL;
	bool one_process = false;
	const struct command_option options[] = {
		{ 'c', "config", &config, NULL },
		{ 0, KEEPER_HANDOVER_OPTION, &handed_over, NULL },
		{ 0, "one-process", NULL, &one_process },
	};
	int code;
	int operands = command_options(c, argc, argv, OPTIONS(options), &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (!config)
		return command_misused(c, "-c FILE is missing: the path of the configuration");
	unsigned long long fd = 0;
	if (handed_over && !span_to_u64(span_of(handed_over), INT32_MAX, &fd))
		return command_misused(c,
				       "--" KEEPER_HANDOVER_OPTION " is used only by an upgrade");
	if (one_process)
		return one_process_run(config);
	return keeper_run(config, handed_over ? (int)fd : -1);
}
