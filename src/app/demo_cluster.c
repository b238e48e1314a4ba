#include "app/demo_cluster.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "sample/server.h"
#include "base/bug.h"
#include "io/addr.h"

/* "127.0.0.1:9200"; -1 after a diagnostic. */
static int listen_at(const char *where)
{
	const char *colon = strrchr(where, ':');
	unsigned long long port;
	struct addr a;
	if (!colon || !span_to_u64(span_of(colon + 1), 65535, &port) ||
	    !addr_parse((struct span){ where, (size_t)(colon - where) }, (uint16_t)port, &a)) {
		fprintf(stderr, "crossfade demo-cluster: '%s' is not as 127.0.0.1:9200\n", where);
		return -1;
	}
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd >= 0 && !bind(fd, &a.any, addr_bytes(&a)) && !listen(fd, 128))
		return fd;
	fprintf(stderr, "crossfade demo-cluster: cannot listen on %s: %s\n", where,
		strerror(errno));
	return -1;
}

/* What test clusters do besides. False after a diagnostic. */
static bool read_options(int argc, char **argv, struct sample_options *o)
{
	static const struct option options[] = {
		{ "log", required_argument, NULL, 'l' },
		{ "keep", no_argument, NULL, 'k' },
		{ "refuse", required_argument, NULL, 'r' },
		{ "refuse-items", required_argument, NULL, 'i' },
		{ "stall-ms", required_argument, NULL, 's' },
		{ "act-after-ms", required_argument, NULL, 'a' },
		{ "read-only", no_argument, NULL, 'o' },
		{ 0 },
	};
	struct sample_faults *f = &o->faults;
	unsigned long long n = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == '?' || (strchr("risa", c) && !span_to_u64(span_of(optarg), 3600000, &n)))
			return false;
		if (c == 'l')
			o->log_path = optarg;
		else if (c == 'k')
			o->keep = true;
		else if (c == 'o')
			f->read_only = true;
		else
			*(c == 'r'   ? &f->refuse
			  : c == 'i' ? &f->refuse_items
			  : c == 's' ? &f->stall_ms
				     : &f->act_after_ms) = (unsigned)n;
	}
	return argc - optind == 2;
}

int demo_cluster_main(int argc, char **argv)
{
	unsigned long long given;
	struct sample_options o = { 0 };
	if (!read_options(argc, argv, &o)) {
		fprintf(stderr, "crossfade demo-cluster: a name and an address are expected, as "
				"source 127.0.0.1:9200\n");
		return EXIT_USAGE;
	}
	bool inherited = span_to_u64(span_of(argv[optind + 1]), INT32_MAX, &given);
	int fd = inherited ? (int)given : listen_at(argv[optind + 1]);
	/* What is accepted inherits it: a response does not wait for the one before it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	struct sample_server *s = calloc(1, sizeof *s);
	must(s);
	signal(SIGPIPE, SIG_IGN);
	o.name = argv[optind];
	if (fd < 0 || !sample_server_open(s, &o, fd)) {
		free(s);
		return EXIT_NO;
	}
	sample_server_run(s);
}
