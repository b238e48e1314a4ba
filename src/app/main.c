#include <stdio.h>
#include <string.h>

#include "app/client.h"
#include "app/command.h"
#include "app/demo_cluster.h"
#include "app/handover.h"
#include "app/order.h"
#include "app/terminal.h"
#include "app/work.h"
#include "control/suggest.h"

static const struct command commands[] = {
	{ "demo", "[--for DURATION] [--port-base PORT]",
	  "Shows it at work: two sample clusters, a balancer, and traffic.",
	  "      --for DURATION     moves the weights itself, and ends after that: 60s, 5m\n"
	  "      --port-base PORT   listens there and on the ports behind it; otherwise on\n"
	  "                         8443, 9201, 9202 and 9280 where they are free\n"
	  "\nAll of it is on this machine, in a directory of its own, and gone afterwards.\n",
	  command_demo },
	{ "init", "[--profile opensearch|http] [DIR]",
	  "Makes a certificate and a configuration to start from.",
	  "      --profile P   for the service crossfade.service, in front of such clusters:\n"
	  "                    DIR is /etc/crossfade then; without it, for a trial that nobody\n"
	  "                    reaches from other machines\n"
	  "\nDIR is . unless it is given. Nothing that is there already is overwritten.\n",
	  command_init },
	{ "check", "-c FILE [-o text|json]",
	  "Looks whether a configuration is good, and says what is not.",
	  "  -c, --config FILE   the configuration\n"
	  "  -o, --output FORM   text (default) or json\n"
	  "\nReads the certificates that it names; opens no port. Exit code 0: good, 1: not.\n",
	  command_check },
	{ "capture", "ls|cat|verify|gaps|export|followers|drop-follower ...",
	  "Shows, verifies and exports what the capture log has.",
	  "  ls      the segments\n"
	  "  cat     the exchanges, a line each, or as JSON, or the messages themselves\n"
	  "  verify  every frame, every checksum, every sequence\n"
	  "  gaps    what passed without being recorded\n"
	  "  export  for other programs: TrafficStream, JSON lines, HAR\n"
	  "  followers      who follows it, and how far behind\n"
	  "  drop-follower  nothing is kept for that one any more\n"
	  "\nAll of them read the files alone, beside a running balancer or without one.\n"
	  "`crossfade capture COMMAND --help` says more.\n",
	  command_capture },
	{ "classify", "[--profile P] METHOD PATH [-o text|json]",
	  "Says whether a request is a read or a write, and by which rule.",
	  "      --profile P     opensearch (default) or http\n"
	  "  -o, --output FORM   text (default) or json\n"
	  "\nTalks to no balancer. A read may be repeated on another node unless it is said not\n"
	  "to be repeatable. Exit code 0: it was classified, 1: that is no request.\n",
	  command_classify },
	{ "run", "-c FILE", "Runs the balancer in the foreground, until SIGTERM or Ctrl-C.",
	  "  -c, --config FILE   the configuration\n"
	  "\nA first SIGTERM or Ctrl-C lets health paths say 503 (timeouts.leave), then requests\n"
	  "end (timeouts.drain); a second one does not wait for them. SIGUSR1: log files are\n"
	  "opened anew. SIGUSR2: the program on disk takes over, without a pause.\n",
	  command_run },
	{ "status", "[--watch] [--interval TIME] " CLIENT_WHERE " [-o text|json]",
	  "Shows weights, requests, latency, and the health of each node.",
	  CLIENT_HELP "      --watch         until q or Ctrl-C, with rates\n"
		      "      --interval TIME how often, as 500ms or 5s (default 1s)\n",
	  command_status },
	{ "weights",
	  "[SOURCE TARGET] [--reason TEXT] [--if-epoch N] [--force] " CLIENT_WHERE " "
	  "[-o text|json]",
	  "Shows the weights, or sets them: 0 to 999 each.",
	  CLIENT_HELP
	  "      --reason TEXT   why, for the audit log\n"
	  "      --if-epoch N    only if nobody has changed them since epoch N\n"
	  "      --force         even to a cluster that has no node that serves\n"
	  "\nReturns when every worker uses the new weights: no later request is decided by\n"
	  "the old ones. Exit code 4: they are set, but a worker has not said that it uses\n"
	  "them.\n",
	  command_weights },
	{ "rollback", "[--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Sends all traffic to the source again, at once.",
	  CLIENT_HELP
	  "      --reason TEXT   why, for the audit log\n"
	  "\nWorks also when the state cannot be saved, on a full disk; it says so then.\n",
	  command_rollback },
	{ "drain", "NODE [--delay TIME] [--reason TEXT] [--force] " CLIENT_WHERE " [-o text|json]",
	  "Takes a node out of service: it gets no new requests.",
	  CLIENT_HELP
	  "      --delay TIME    after that, what is still with it is cut (default: 300s)\n"
	  "      --reason TEXT   why, for the audit log\n"
	  "      --force         even the last one that serves a cluster with weight\n"
	  "\nNODE is as `crossfade status` shows it or as the configuration has it, with the\n"
	  "cluster before it where both have one of that name: source/es-1:9200. Returns when\n"
	  "every worker heeds it. It holds over reloads and restarts, until `crossfade ready\n"
	  "NODE`.\n",
	  command_drain },
	{ "ready", "NODE [--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Takes a node that was drained back into service.",
	  CLIENT_HELP "      --reason TEXT   why, for the audit log\n", command_ready },
	{ "history", "[-n N] " CLIENT_WHERE " [-o text|json]",
	  "Shows who changed what, when and why.",
	  CLIENT_HELP "  -n, --last N        so many of the last changes (default: 20)\n"
		      "\nThey are the lines of audit.jsonl in the state directory.\n",
	  command_history },
	{ "reload", "[--reason TEXT] [--timeout TIME] " CLIENT_WHERE " [-o text|json]",
	  "Has the running balancer read its configuration anew.",
	  ORDER_HELP
	  "\nSays what has changed, or each mistake with its place. Exit code 1: it was refused,\n"
	  "and nothing was changed. SIGHUP to `crossfade run` does the same.\n",
	  command_reload },
	{ "upgrade", "[--reason TEXT] [--timeout TIME] " CLIENT_WHERE " [-o text|json]",
	  "Has the program that is now on disk take over, without a pause.",
	  ORDER_HELP
	  "\nReturns when it serves. Exit code 1: it does not fit, and the one before goes on.\n"
	  "SIGUSR2 to `crossfade run` does the same.\n",
	  command_upgrade },
	{ "stop", "[--now] [--reason TEXT] [--timeout TIME] " CLIENT_WHERE " [-o text|json]",
	  "Stops the running balancer.",
	  ORDER_HELP
	  "      --now           does not wait for load balancers in front (timeouts.leave), nor\n"
	  "                      for requests that are under way (timeouts.drain)\n"
	  "\nReturns when it has ended. SIGTERM to `crossfade run` does the same; where systemd\n"
	  "runs it, `systemctl stop` is the way.\n",
	  command_stop },
	{ "recover", "-c FILE [SOURCE TARGET]",
	  "Puts the weights back whose file was lost, before a start.",
	  "  -c, --config FILE   the configuration of the balancer, which must not run\n"
	  "\nA start refuses a state directory whose weights are missing, damaged, or older than\n"
	  "the capture log. This shows what it has found, and takes SOURCE and TARGET, or the "
	  "last\n"
	  "line of audit.jsonl where nothing knows of a later change; it writes the state with an\n"
	  "epoch far above all before, and a line in the audit. A good state is left.\n",
	  command_recover },
	{ "smoke", "-c FILE [--suite FILE] [-o text|json]",
	  "Sends read-only requests to both clusters, and compares the answers.",
	  "  -c, --config FILE   the configuration of the balancer, which runs on this machine\n"
	  "      --suite FILE    lines of METHOD PATH [BODY]; otherwise /, the health, and the\n"
	  "                      count and a search of each index\n"
	  "  -o, --output FORM   text (default) or json\n"
	  "\nThe requests go through the listeners `source` and `target`. What differs between\n"
	  "any two clusters (names, versions, times, shards) does not count. Exit code 0: the\n"
	  "same, 1: not, 3: nobody answers.\n",
	  command_smoke },
};
#define COMMAND_N (sizeof commands / sizeof commands[0])

static int print_usage(FILE *to, int code)
{
	fprintf(to,
		"crossfade %s: moves live HTTP traffic from one cluster to another, and back.\n\n"
		"usage: crossfade COMMAND [ARGUMENTS]\n\n",
		CROSSFADE_VERSION);
	for (size_t i = 0; i < COMMAND_N; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n`crossfade COMMAND --help` tells more; `crossfade --version`, or -V, the "
		    "version.\n"
		    "Exit codes: 0 ok, 1 no, 2 usage, 3 cannot reach the balancer,\n"
		    "            4 done but not acknowledged by every worker.\n");
	return code;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_N; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int complain_about_unknown(const char *name)
{
	struct suggestion near;
	suggest_open(&near, name);
	for (size_t i = 0; i < COMMAND_N; i++)
		suggest_consider(&near, commands[i].name);
	fprintf(stderr, "crossfade: there is no %s '%s'", name[0] == '-' ? "option" : "command",
		name);
	if (near.word)
		fprintf(stderr, "; did you mean '%s'?", near.word);
	fprintf(stderr, "\nTry `crossfade --help`.\n");
	return EXIT_USAGE;
}

/* `help COMMAND` is `COMMAND --help`, also of one that has commands of its own. */
static int help(int argc, char **argv)
{
	char option[] = "--help";
	char *words[] = { argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : option, option, NULL };
	const struct command *c = argc > 2 ? find_command(argv[2]) : NULL;
	if (argc > 2 && !c)
		return complain_about_unknown(argv[2]);
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
		return help(argc, argv);
	if (!strcmp(name, WORK_COMMAND))
		return work_main(argc - 1, argv + 1);
	if (!strcmp(name, HANDOVER_COMMAND))
		return handover_main(argc - 1, argv + 1);
	if (!strcmp(name, DEMO_CLUSTER_COMMAND))
		return demo_cluster_main(argc - 1, argv + 1);
	const struct command *c = find_command(name);
	return c ? c->run(c, argc - 1, argv + 1) : complain_about_unknown(name);
}
