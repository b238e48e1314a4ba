#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/certificate.h"
#include "app/command.h"
#include "control/token.h"

static const char starter[] =
	"# Crossfade: one address in front of two clusters, and two weights.\n"
	"#\n"
	"#   crossfade check   -c crossfade.yaml\n"
	"#   crossfade run     -c crossfade.yaml\n"
	"#   crossfade weights -c crossfade.yaml 90 10     in another terminal\n"
	"\n"
	"listeners:\n"
	"  weighted: { address: 0.0.0.0:8443 }  # clients: split by the weights; 443 in "
	"production\n"
	"  source:   { address: 0.0.0.0:9201 }  # always the source\n"
	"  target:   { address: 0.0.0.0:9202 }  # always the target\n"
	"# With a load balancer in front that checks health: say `health: /healthz` at the "
	"listener, "
	"and\n"
	"# timeouts: { leave: 10s }              # so long it is told 503 before a stop closes the "
	"port\n"
	"\n"
	"# Made by `crossfade init`, signed by nobody: clients must be told to trust it.\n"
	"tls: { certificate: tls.crt, key: tls.key }\n"
	"\n"
	"source:                                # where the traffic is today\n"
	"  nodes: [ http://127.0.0.1:9200 ]\n"
	"  # nodes: [ https://es-1.internal:9200, https://es-2.internal:9200 ]\n"
	"  # ca: source-ca.crt                  # who signed the certificates of the nodes\n"
	"\n"
	"target:                                # where it is to go\n"
	"  nodes: [ http://127.0.0.1:9210 ]\n"
	"  # host: node                         # managed clusters want their own name as Host\n"
	"\n"
	"weights: { source: 1, target: 0 }      # only the start; later changes are kept in "
	"`state`\n"
	"\n"
	"admin: { address: 127.0.0.1:9280 }     # /metrics and the API; a socket is beside the "
	"state\n"
	"state: state\n";

/* Makes a file that is not there; says so either way. False after a complaint. */
static bool make_file(const char *directory, const char *name, mode_t mode, const char *text,
		      bool *made)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	*made = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		printf("  %-24s is there already, and stays\n", name);
		return true;
	}
	size_t n = strlen(text);
	errno = fd < 0 ? errno : ENOSPC;
	if (fd < 0 || write(fd, text, n) != (ssize_t)n) {
		fprintf(stderr, "crossfade init: cannot write %s: %s\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	printf("  %-24s made\n", name);
	return true;
}

static bool exists(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* A new key beside an old certificate would not fit it: both or none. */
static bool make_certificate(const char *directory)
{
	struct certificate c;
	bool made;
	if (exists(directory, "tls.crt") || exists(directory, "tls.key")) {
		printf("  %-24s are there already, and stay\n", "tls.crt, tls.key");
		return true;
	}
	if (!certificate_make(&c)) {
		fprintf(stderr, "crossfade init: OpenSSL could not make a certificate\n");
		return false;
	}
	bool good = make_file(directory, "tls.key", 0600, c.key, &made) &&
		    make_file(directory, "tls.crt", 0644, c.certificate, &made);
	certificate_free(&c);
	return good;
}

static bool make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return true;
	fprintf(stderr, "crossfade init: cannot make the directory %s: %s\n", path,
		strerror(errno));
	return false;
}

static bool make_token(const char *state)
{
	char token[TOKEN_BYTES];
	bool made;
	if (!token_take(state, token, &made)) {
		fprintf(stderr, "crossfade init: cannot make %s/" TOKEN_FILE ": %s\n", state,
			strerror(errno));
		return false;
	}
	printf("  %-24s %s\n", "state/" TOKEN_FILE, made ? "made" : "is there already, and stays");
	return true;
}

int command_init(const struct command *c, int argc, char **argv)
{
	char state[4096];
	bool made;
	int code, operands = command_options(c, argc, argv, NULL, 0, &code);
	if (operands < 0)
		return code;
	if (operands > 1)
		return command_misused(c, "'%s' is not expected here", argv[2]);
	const char *directory = operands ? argv[1] : ".";
	if ((size_t)snprintf(state, sizeof state, "%s/state", directory) >= sizeof state - 32)
		return command_misused(c, "the directory's name is too long");
	if (!make_directory(directory, 0755) || !make_directory(state, 0700) ||
	    !make_certificate(directory) ||
	    !make_file(directory, "crossfade.yaml", 0600, starter, &made) || !make_token(state))
		return EXIT_NO;
	printf("\nNow say in %s/crossfade.yaml where your clusters are, then:\n\n"
	       "  crossfade check -c %s/crossfade.yaml\n"
	       "  crossfade run   -c %s/crossfade.yaml\n",
	       directory, directory, directory);
	return EXIT_OK;
}
