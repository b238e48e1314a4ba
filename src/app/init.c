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

#define PATH_BYTES 4096

/* For a trial on one machine. */
static const char for_a_trial[] =
	"# Crossfade: one address in front of two clusters, and two weights. This file is for a "
	"trial\n"
	"# on one machine: other machines cannot connect. `crossfade init --profile opensearch`\n"
	"# makes a file for a service.\n"
	"#\n"
	"#   crossfade check   -c crossfade.yaml\n"
	"#   crossfade run     -c crossfade.yaml\n"
	"#   crossfade weights -c crossfade.yaml 90 10     in another terminal\n"
	"\n"
	"listeners:\n"
	"  weighted: { address: 127.0.0.1:8443 }  # clients: split by the weights\n"
	"  source:   { address: 127.0.0.1:9201 }  # always the source\n"
	"  target:   { address: 127.0.0.1:9202 }  # always the target\n"
	"\n"
	"# Made by `crossfade init`. No CA has signed it: clients must be told to trust it.\n"
	"tls: { certificate: tls.crt, key: tls.key }\n"
	"\n"
	"source:                                  # where the traffic is today\n"
	"  nodes: [ http://127.0.0.1:9200 ]\n"
	"\n"
	"target:                                  # where the traffic will go\n"
	"  nodes: [ http://127.0.0.1:9210 ]\n"
	"\n"
	"weights: { source: 1, target: 0 }        # only the start; later changes are kept in "
	"`state`\n"
	"\n"
	"admin: { address: 127.0.0.1:9280 }       # /metrics and the API; the admin socket is in "
	"`state`\n"
	"state: state\n";

/*
 * For deploy/crossfade.service: the paths that the unit may write, and the credentials that it
 * hands over.
 */
static const char for_the_service[] =
	"# Crossfade: one address in front of two clusters, and two weights. This file fits the "
	"service\n"
	"# crossfade.service, which runs /etc/crossfade/crossfade.yaml. Every user can read this "
	"file: put\n"
	"# nothing secret here. Credentials have files of their own, which the unit hands over.\n"
	"#\n"
	"#   crossfade check -c /etc/crossfade/crossfade.yaml\n"
	"#   systemctl enable --now crossfade              systemctl reload crossfade after a "
	"change\n"
	"#   crossfade weights -c /etc/crossfade/crossfade.yaml 99 1 --reason CHG-1234\n"
	"\n"
	"profile: %s\n"
	"\n"
	"listeners:\n"
	"  weighted: { address: 0.0.0.0:443, health: /healthz }  # clients: split by the weights\n"
	"  source:   { address: 0.0.0.0:9201 }                   # always the source\n"
	"  target:   { address: 0.0.0.0:9202 }                   # always the target\n"
	"\n"
	"# A stop first responds with 503 at /healthz for `leave`, so that a load balancer in "
	"front "
	"goes\n"
	"# elsewhere; then the port closes, and requests have `drain` to end. TimeoutStopSec= of "
	"the\n"
	"# unit must be above the sum of both.\n"
	"timeouts: { leave: 10s, drain: 60s }\n"
	"\n"
	"# Made by `crossfade init`. No CA has signed it: replace both files by your own. The unit "
	"hands\n"
	"# over tls.key: LoadCredential=tls.key:/etc/crossfade/tls.key.\n"
	"tls: { certificate: tls.crt, key: tls.key }\n"
	"\n"
	"source:                                    # where the traffic is today\n"
	"  nodes: [ https://source-1.internal:9200, https://source-2.internal:9200 ]\n"
	"  # ca: source-ca.crt                      # the CA of the nodes; default: the system's "
	"CAs\n"
	"  # authorization: { file: source.auth }   # \"Basic ...\"; default: the clients' own\n"
	"\n"
	"target:                                    # where the traffic will go\n"
	"  nodes: [ https://target-1.internal:9200 ]\n"
	"  # host: node                             # managed clusters need their own name as "
	"Host\n"
	"\n"
	"weights: { source: 1, target: 0 }          # only the start; later changes are kept in "
	"`state`\n"
	"\n"
	"# Each write to the source is recorded on disk before its client gets the response.\n"
	"capture: { directory: /var/lib/crossfade/capture }\n"
	"\n"
	"log: { access: /var/log/crossfade/access.log }\n"
	"admin: { address: 127.0.0.1:9280, socket: /run/crossfade/admin.sock }\n"
	"state: /var/lib/crossfade/state\n";

/* Makes the file unless it exists, and prints which of the two. False after a diagnostic. */
static bool init_make_file(const char *directory, const char *name, mode_t mode, const char *text,
			   bool *made)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	*made = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		printf("  %-24s exists already: left as it is\n", name);
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

static bool file_exists(const char *directory, const char *name)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* A new key would not fit an old certificate: both files are made, or none. */
static bool init_make_certificate(const char *directory)
{
	struct certificate c;
	bool made;
	if (file_exists(directory, "tls.crt") || file_exists(directory, "tls.key")) {
		printf("  %-24s exist already: left as they are\n", "tls.crt, tls.key");
		return true;
	}
	if (!certificate_make(&c)) {
		fprintf(stderr, "crossfade init: OpenSSL could not make a certificate\n");
		return false;
	}
	bool good = init_make_file(directory, "tls.key", 0600, c.key, &made) &&
		    init_make_file(directory, "tls.crt", 0644, c.certificate, &made);
	certificate_free(&c);
	return good;
}

static bool init_make_directory(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return true;
	fprintf(stderr, "crossfade init: cannot make the directory %s: %s\n", path,
		strerror(errno));
	return false;
}

static bool init_make_token(const char *state)
{
	char token[TOKEN_BYTES];
	bool made;
	if (!token_take(state, token, &made)) {
		fprintf(stderr, "crossfade init: cannot make %s/" TOKEN_FILE ": %s\n", state,
			strerror(errno));
		return false;
	}
	printf("  %-24s %s\n", "state/" TOKEN_FILE,
	       made ? "made" : "exists already: left as it is");
	return true;
}

static void say_what_is_next(const char *directory, bool service)
{
	printf("\nNow write the addresses of your clusters into %s/crossfade.yaml, then run:\n\n"
	       "  crossfade check -c %s/crossfade.yaml\n",
	       directory, directory);
	if (service)
		printf("  systemctl enable --now crossfade\n\n"
		       "The service runs /etc/crossfade/crossfade.yaml.\n");
	else
		printf("  crossfade run   -c %s/crossfade.yaml\n", directory);
}

/* The service makes the state directory and the token when it starts. */
static bool make_for_the_service(const char *directory, const char *profile)
{
	char text[sizeof for_the_service + 32];
	bool made;
	snprintf(text, sizeof text, for_the_service, profile);
	return init_make_directory(directory, 0755) && init_make_certificate(directory) &&
	       init_make_file(directory, "crossfade.yaml", 0644, text, &made);
}

static bool make_for_a_trial(const char *directory)
{
	char state[PATH_BYTES];
	bool made;
	snprintf(state, sizeof state, "%s/state", directory);
	return init_make_directory(directory, 0755) && init_make_directory(state, 0700) &&
	       init_make_certificate(directory) &&
	       init_make_file(directory, "crossfade.yaml", 0600, for_a_trial, &made) &&
	       init_make_token(state);
}

int command_init(const struct command *c, int argc, char **argv)
{
	const char *profile = NULL;
	const struct command_option options[] = { { 0, "profile", &profile, NULL } };
	int code, operands = command_options(c, argc, argv, options, 1, &code);
	if (operands < 0)
		return code;
	if (operands > 1)
		return command_misused(c, "'%s' is not expected here", argv[2]);
	if (profile && strcmp(profile, "opensearch") != 0 && strcmp(profile, "http") != 0)
		return command_misused(c, "--profile %s is not known; it can be http or opensearch",
				       profile);
	const char *directory = operands ? argv[1] : ".";
	if (strlen(directory) > PATH_BYTES - 64)
		return command_misused(c, "the directory's name is too long");
	if (!(profile ? make_for_the_service(directory, profile) : make_for_a_trial(directory)))
		return EXIT_NO;
	say_what_is_next(directory, profile);
	return EXIT_OK;
}
