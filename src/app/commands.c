#include "app/commands.h"

#include "app/client.h"
#include "app/order.h"

static const struct command commands[] = {
	{ "demo", "[--for DURATION] [--port-base PORT]",
	  "Shows Crossfade at work: two sample clusters, a balancer, and traffic.",
	  "      --for DURATION     the demo changes the weights by itself and ends after this\n"
	  "                         time: 60s, 5m\n"
	  "      --port-base PORT   listens on this port and the three that follow it; without\n"
	  "                         it, on 8443, 9201, 9202 and 9280, or on free ports in place\n"
	  "                         of those that are in use\n"
	  "\nEverything runs on this machine, in a temporary directory of its own. The demo\n"
	  "removes all of it when it ends.\n",
	  command_demo },
	{ "init", "[--profile opensearch|http] [DIR]",
	  "Makes a certificate and a configuration to start from.",
	  "      --profile P   makes them for the service crossfade.service, in front of clusters\n"
	  "                    of this kind; DIR is /etc/crossfade then. Without --profile:\n"
	  "                    for a trial that listens on this machine's own address only\n"
	  "\nThe default of DIR is the current directory. Files that exist are not overwritten.\n",
	  command_init },
	{ "check", "-c FILE [-o text|json]",
	  "Checks a configuration, and reports each mistake with its line and column.",
	  "  -c, --config FILE   the configuration\n"
	  "  -o, --output FORM   text (default) or json\n"
	  "\nReads the certificates that the configuration names; opens no port. Exit code 0: the\n"
	  "configuration is good, 1: it is not.\n",
	  command_check },
	{ "capture", "ls|cat|verify|gaps|export|followers|drop-follower ...",
	  "Shows, verifies and exports the contents of the capture log.",
	  "  ls             lists the segments\n"
	  "  cat            prints the exchanges: one line each, as JSON, or as whole messages\n"
	  "  verify         checks every frame, every checksum and every sequence number\n"
	  "  gaps           shows which requests passed without being recorded\n"
	  "  export         writes exchanges for other programs: TrafficStream, JSON lines, HAR\n"
	  "  followers      shows who follows the log, and how far behind each of them is\n"
	  "  drop-follower  removes a follower: segments are no longer kept for it\n"
	  "\nThese commands read the files only: they work with or without a running balancer.\n"
	  "`crossfade capture COMMAND --help` says more.\n",
	  command_capture },
	{ "classify", "[--profile P] METHOD PATH [-o text|json]",
	  "Says whether a request is a read or a write, by which rule, and what replay makes of "
	  "it.",
	  "      --profile P     opensearch (default) or http\n"
	  "  -o, --output FORM   text (default) or json\n"
	  "\nContacts no balancer. The balancer may repeat a read on another node, unless the\n"
	  "output says \"not repeatable\". Of a write, replay copies the key (index and id), "
	  "scans\n"
	  "or walks indices, deletes them (fence) or what a query finds (sweep), looks at what\n"
	  "surrounds documents, or only counts it (unknown). Exit code 0: the request was\n"
	  "classified, 1: the arguments are not a valid request.\n",
	  command_classify },
	{ "compare", "[INDEX...] [--all | --sample N] [--repair] " CLIENT_WHERE " [-o text|json]",
	  "Says whether owner and replica have the same documents, while clients write.",
	  CLIENT_HELP
	  "      --all           compares each document of each index\n"
	  "      --sample N      compares N documents of each index, at random\n"
	  "      --repair        lets replay copy what differs, and compares that again\n"
	  "\nINDEX is a name or a pattern; without one: all indices but those that begin with a\n"
	  "dot. Without --all and --sample: the documents that were written since the last\n"
	  "comparison. Ctrl-C stops the comparison. Exit code 0: equal, 1: different, 2: nobody\n"
	  "can tell, and the output says why.\n",
	  command_compare },
	{ "run", "-c FILE [--one-process]",
	  "Runs the balancer in the foreground, until SIGTERM or Ctrl-C.",
	  "  -c, --config FILE   the configuration\n"
	  "      --one-process   runs in one process, for a debugger: no restart after a crash,\n"
	  "                      no upgrades\n"
	  "\nOn the first SIGTERM or Ctrl-C, health paths respond with 503 for timeouts.leave; "
	  "then\n"
	  "the balancer accepts no more connections and waits at most timeouts.drain for requests\n"
	  "to end. A second one ends the waiting. SIGUSR1 opens log files anew. SIGUSR2 starts\n"
	  "the program that is on disk now in place of this one, without a pause.\n",
	  command_run },
	{ "status", "[--watch] [--interval TIME] " CLIENT_WHERE " [-o text|json]",
	  "Shows weights, requests, latency, and the health of each node.",
	  CLIENT_HELP
	  "      --watch         updates the display, with rates, until q or Ctrl-C\n"
	  "      --interval TIME time between two updates, as 500ms or 5s (default 1s)\n",
	  command_status },
	{ "weights",
	  "[SOURCE TARGET] [--reason TEXT] [--if-epoch N] [--force] " CLIENT_WHERE " "
	  "[-o text|json]",
	  "Shows the weights, or sets them: 0 to 999 each.",
	  CLIENT_HELP
	  "      --reason TEXT   why, for the audit log\n"
	  "      --if-epoch N    sets them only if nobody has changed them since epoch N\n"
	  "      --force         also gives weight to a cluster of which no node serves\n"
	  "\nReturns when every worker uses the new weights: no later request is decided by\n"
	  "the old ones. Exit code 4: the weights are set, but at least one worker has not\n"
	  "confirmed that it uses them.\n",
	  command_weights },
	{ "rollback", "[--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Sends all traffic to the source again, at once.",
	  CLIENT_HELP
	  "      --reason TEXT   why, for the audit log\n"
	  "\nWorks even when the state cannot be saved, for example on a full disk; then the\n"
	  "output says so.\n",
	  command_rollback },
	{ "drain", "NODE [--delay TIME] [--reason TEXT] [--force] " CLIENT_WHERE " [-o text|json]",
	  "Takes a node out of service: it gets no new requests.",
	  CLIENT_HELP
	  "      --delay TIME    requests that the node still has after this time are cut off\n"
	  "                      (default: 300s)\n"
	  "      --reason TEXT   why, for the audit log\n"
	  "      --force         also drains the last node that serves a cluster with weight\n"
	  "\nNODE is written as in `crossfade status` or in the configuration. If both clusters\n"
	  "have a node of that name, put the cluster before it: source/es-1:9200. Returns when\n"
	  "every worker has acknowledged the drain. The node stays drained over reloads and\n"
	  "restarts, until `crossfade ready NODE`.\n",
	  command_drain },
	{ "ready", "NODE [--reason TEXT] " CLIENT_WHERE " [-o text|json]",
	  "Puts a drained node back into service.",
	  CLIENT_HELP "      --reason TEXT   why, for the audit log\n", command_ready },
	{ "replay", "status|pause|resume|backfill|restart|set-aside ...",
	  "Shows and controls the copies of writes from the owner to the replica.",
	  "  status      shows how far the replica is behind, and what stands in the way\n"
	  "  pause       stops all copies, also over restarts\n"
	  "  resume      lets replay go on\n"
	  "  backfill    copies all documents of the owner's indices, beside live writes\n"
	  "  restart     plays the capture log again from a time\n"
	  "  set-aside   shows, retries or drops documents that the replica refuses\n"
	  "\n`crossfade replay COMMAND --help` says more.\n",
	  command_replay },
	{ "history", "[-n N] " CLIENT_WHERE " [-o text|json]",
	  "Shows who changed what, when and why.",
	  CLIENT_HELP "  -n, --last N        shows the last N changes (default: 20)\n"
		      "\nThe changes are the lines of audit.jsonl in the state directory.\n",
	  command_history },
	{ "reload", "[--reason TEXT] [--timeout TIME] " CLIENT_WHERE " [-o text|json]",
	  "Makes the running balancer read its configuration again.",
	  ORDER_HELP
	  "\nPrints what has changed, or each mistake with its place. Exit code 1: the balancer\n"
	  "refused the configuration, and nothing changed. SIGHUP to `crossfade run` does the\n"
	  "same.\n",
	  command_reload },
	{ "upgrade", "[--reason TEXT] [--timeout TIME] " CLIENT_WHERE " [-o text|json]",
	  "Replaces the running program by the one now on disk, without a pause.",
	  ORDER_HELP
	  "\nReturns when the new program serves. Exit code 1: the new program cannot take over,\n"
	  "and the running one goes on. SIGUSR2 to `crossfade run` does the same.\n",
	  command_upgrade },
	{ "stop", "[--now] [--reason TEXT] [--timeout TIME] " CLIENT_WHERE " [-o text|json]",
	  "Stops the running balancer.",
	  ORDER_HELP
	  "      --now           does not wait for load balancers in front (timeouts.leave), nor\n"
	  "                      for requests that are under way (timeouts.drain)\n"
	  "\nReturns when the balancer has ended. SIGTERM to `crossfade run` does the same. Where\n"
	  "systemd runs the balancer, use `systemctl stop`.\n",
	  command_stop },
	{ "trace", "--client NETWORK [--for TIME] " CLIENT_WHERE " [-o text|json]",
	  "Draws what the balancer does with the requests of chosen clients.",
	  CLIENT_HELP
	  "      --client NETWORK  which clients: an address, or a network as 10.0.0.0/24\n"
	  "      --for TIME      ends after this time, as 30s; without it, with Ctrl-C\n"
	  "\nPrints one line for each call between the parts of the data path, with its size and\n"
	  "time: heads, data, credit, ends. Header fields and bodies are not shown. The client's\n"
	  "address is that of the connection, or the one in its PROXY header. Only one trace can\n"
	  "run at a time.\n",
	  command_trace },
	{ "recover", "-c FILE [SOURCE TARGET]",
	  "Restores weights whose state file was lost, before the balancer starts.",
	  "  -c, --config FILE   the configuration of the balancer, which must not be running\n"
	  "\nThe balancer refuses to start when the weights in its state directory are missing,\n"
	  "damaged, or older than the capture log. This command shows what it has found. It\n"
	  "takes the weights SOURCE and TARGET; without them, those of the last line of\n"
	  "audit.jsonl, if nothing shows a later change. It writes the state with an epoch far\n"
	  "above all earlier ones, and a line in the audit log. It does not change a good state.\n",
	  command_recover },
	{ "owner", "-c FILE [source|target] [--reason TEXT]",
	  "Says which cluster owns the writes; or makes another one the owner, at a stop.",
	  "  -c, --config FILE   the configuration of the balancer, which must not be running\n"
	  "      --reason TEXT   why, for the audit log\n"
	  "\nFrom the next start on all weight is the new owner's, and replay copies its writes "
	  "to\n"
	  "the other cluster. Before you stop the balancer let clients stop writing, and wait "
	  "until\n"
	  "`crossfade replay status` says that nothing waits and `crossfade compare` that the\n"
	  "clusters are equal: what was not copied by then is never copied.\n",
	  command_owner },
	{ "smoke", "-c FILE [--suite FILE] [-o text|json]",
	  "Sends read-only requests to both clusters, and compares the responses.",
	  "  -c, --config FILE   the configuration of the balancer, which runs on this machine\n"
	  "      --suite FILE    lines of METHOD PATH [BODY]; without it: /, the health, and a\n"
	  "                      count, a search, the mapping and the aliases of each index\n"
	  "  -o, --output FORM   text (default) or json\n"
	  "\nThe requests go through the listeners `source` and `target`. The comparison ignores\n"
	  "what differs between any two clusters: names, versions, times, shards. Exit code 0:\n"
	  "the responses are the same, 1: they are not, 3: a listener does not respond.\n",
	  command_smoke },
};

const struct command *commands_list(size_t *n)
{
	*n = sizeof commands / sizeof commands[0];
	return commands;
}
