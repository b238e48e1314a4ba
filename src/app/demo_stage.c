#include "app/demo_stage.h"

#include <stdlib.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/certificate.h"
#include "app/demo_cluster.h"
#include "app/fetch.h"

/*
 * The balancer starts in a fraction of a second, but a very busy machine takes longer.
 */
#define READY_TRIES 400
#define READY_PAUSE_MS 25
#define STOP_TRIES 200

static const uint16_t usual_ports[DEMO_PORTS] = { 8443, 9201, 9202, 9280 };

static bool stage_complain(const char *what)
{
	fprintf(stderr, "crossfade demo: %s: %s\n", what, strerror(errno));
	return false;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* --- ports --- */

/* Returns a socket bound to this port of 127.0.0.1; 0: any free port. -1 with errno. */
static int bind_port(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof a;
	getsockname(fd, (struct sockaddr *)&a, &n);
	return ntohs(a.sin_port);
}

static bool choose_ports(struct demo_stage *s, unsigned base)
{
	int fds[DEMO_PORTS];
	bool good = true;
	for (int i = 0; i < DEMO_PORTS; i++) {
		fds[i] = bind_port(base ? (uint16_t)(base + (unsigned)i) : usual_ports[i]);
		if (fds[i] < 0 && !base)
			fds[i] = bind_port(0);
		if (fds[i] < 0 && good)
			good = stage_complain("cannot get a port on 127.0.0.1");
		s->ports[i] = fds[i] < 0 ? 0 : port_of(fds[i]);
	}
	/* All sockets stay open until every port is chosen, so that no port is chosen twice. */
	for (int i = 0; i < DEMO_PORTS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return good;
}

/* --- files --- */

static bool write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	size_t n = strlen(text);
	bool good = fd >= 0 && write(fd, text, n) == (ssize_t)n;
	if (fd >= 0)
		close(fd);
	return good || stage_complain(path);
}

static bool write_certificate(const struct demo_stage *s)
{
	struct certificate c;
	char key[96];
	snprintf(key, sizeof key, "%s/tls.key", s->directory);
	if (!certificate_make(&c)) {
		errno = EIO;
		return stage_complain("OpenSSL could not make a certificate");
	}
	bool good = write_file(s->certificate, c.certificate, 0644) && write_file(key, c.key, 0600);
	certificate_free(&c);
	return good;
}

static bool write_config(const struct demo_stage *s, const uint16_t cluster_ports[ARMS])
{
	char text[1024];
	snprintf(text, sizeof text,
		 "profile: opensearch\n"
		 "listeners:\n"
		 "  weighted: { address: 127.0.0.1:%u }\n"
		 "  source:   { address: 127.0.0.1:%u }\n"
		 "  target:   { address: 127.0.0.1:%u }\n"
		 "tls: { certificate: tls.crt, key: tls.key }\n"
		 "source: { nodes: [ http://127.0.0.1:%u ] }\n"
		 "target: { nodes: [ http://127.0.0.1:%u ] }\n"
		 "weights: { source: 1, target: 0 }\n"
		 "timeouts: { drain: 2s }\n"
		 "admin: { address: 127.0.0.1:%u, socket: admin.sock }\n"
		 "state: state\n"
		 "capture: { directory: capture, commit: 2ms }\n"
		 "replay: {}\n",
		 s->ports[DEMO_WEIGHTED], s->ports[DEMO_SOURCE], s->ports[DEMO_TARGET],
		 cluster_ports[ARM_SOURCE], cluster_ports[ARM_TARGET], s->ports[DEMO_ADMIN]);
	return write_file(s->config, text, 0644);
}

static bool stage_make_directory(struct demo_stage *s)
{
	const char *base = getenv("TMPDIR");
	/* The path of a unix socket may have 107 bytes. */
	if (!base || !*base || strlen(base) > sizeof s->directory - sizeof "/crossfade-demo-XXXXXX")
		base = "/tmp";
	snprintf(s->directory, sizeof s->directory, "%s/crossfade-demo-XXXXXX", base);
	if (!mkdtemp(s->directory)) {
		s->directory[0] = 0;
		return stage_complain(base);
	}
	snprintf(s->certificate, sizeof s->certificate, "%s/tls.crt", s->directory);
	snprintf(s->config, sizeof s->config, "%s/crossfade.yaml", s->directory);
	snprintf(s->log, sizeof s->log, "%s/balancer.log", s->directory);
	snprintf(s->socket, sizeof s->socket, "%s/admin.sock", s->directory);
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

/* --- processes --- */

/*
 * Runs in the child. The child gets a process group of its own: Ctrl-C on the terminal must not
 * reach it, because the demo ends the processes in order.
 */
static _Noreturn void stage_execute(const struct demo_stage *s, int keep_fd, int death_signal,
				    pid_t parent, const char *const *arguments)
{
	sigset_t none;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, death_signal);
	if (getppid() != parent)
		_exit(1);
	int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	if (log > STDERR_FILENO)
		close(log);
	if (keep_fd >= 0)
		fcntl(keep_fd, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
	_exit(1);
}

static pid_t stage_spawn(const struct demo_stage *s, int keep_fd, int death_signal,
			 const char *const *arguments)
{
	pid_t parent = getpid(), child = fork();
	if (child == 0)
		stage_execute(s, keep_fd, death_signal, parent, arguments);
	if (child < 0)
		stage_complain("cannot start a process");
	return child < 0 ? 0 : child;
}

static bool start_clusters(struct demo_stage *s, uint16_t ports[ARMS])
{
	static const char *const names[ARMS] = { "source", "target" };
	for (int arm = 0; arm < ARMS; arm++) {
		char number[16];
		int fd = bind_port(0);
		if (fd < 0 || listen(fd, 128) < 0)
			return stage_complain("cannot get a port for a sample cluster");
		ports[arm] = port_of(fd);
		snprintf(number, sizeof number, "%d", fd);
		s->clusters[arm] =
			stage_spawn(s, fd, SIGKILL,
				    (const char *const[]){ "crossfade", DEMO_CLUSTER_COMMAND,
							   names[arm], number, NULL });
		close(fd);
		if (!s->clusters[arm])
			return false;
	}
	return true;
}

static void show_log(const struct demo_stage *s)
{
	char line[512];
	FILE *log = fopen(s->log, "r");
	while (log && fgets(line, sizeof line, log))
		fputs(line, stderr);
	if (log)
		fclose(log);
}

bool demo_stage_stands(struct demo_stage *s)
{
	int status;
	if (s->balancer && waitpid(s->balancer, &status, WNOHANG) == s->balancer)
		s->balancer = 0;
	return s->balancer != 0;
}

static bool balancer_is_ready(struct fetch *f, const struct demo_stage *s)
{
	struct fetch_response a;
	struct fetch_request ask = { .method = "GET",
				     .url = "http://crossfade/readyz",
				     .socket = s->socket,
				     .timeout_s = 5 };
	bool ready = fetch_do(f, &ask, &a) && a.status == 200;
	fetch_response_free(&a);
	return ready;
}

static bool await_balancer(struct demo_stage *s)
{
	struct fetch f;
	bool ready = false;
	fetch_open(&f);
	for (int i = 0; i < READY_TRIES && !ready && demo_stage_stands(s); i++) {
		ready = balancer_is_ready(&f, s);
		if (!ready)
			pause_ms(READY_PAUSE_MS);
	}
	fetch_close(&f);
	if (!ready) {
		fprintf(stderr, "crossfade demo: the balancer did not start:\n");
		show_log(s);
	}
	return ready;
}

static bool start_balancer(struct demo_stage *s)
{
	s->balancer = stage_spawn(
		s, -1, SIGTERM, (const char *const[]){ "crossfade", "run", "-c", s->config, NULL });
	return s->balancer && await_balancer(s);
}

/* --- a life --- */

bool demo_stage_set(struct demo_stage *s, unsigned port_base)
{
	uint16_t cluster_ports[ARMS];
	*s = (struct demo_stage){ 0 };
	snprintf(s->balancer_program, sizeof s->balancer_program, "%s", program_invocation_name);
	if (stage_make_directory(s) && choose_ports(s, port_base) && write_certificate(s) &&
	    start_clusters(s, cluster_ports) && write_config(s, cluster_ports) && start_balancer(s))
		return true;
	demo_stage_strike(s);
	return false;
}

static void stop_balancer(struct demo_stage *s)
{
	kill(s->balancer, SIGTERM);
	for (int i = 0; i < STOP_TRIES && demo_stage_stands(s); i++)
		pause_ms(READY_PAUSE_MS);
	if (!s->balancer)
		return;
	kill(s->balancer, SIGKILL);
	waitpid(s->balancer, NULL, 0);
}

void demo_stage_strike(struct demo_stage *s)
{
	if (s->balancer)
		stop_balancer(s);
	for (int arm = 0; arm < ARMS; arm++)
		if (s->clusters[arm]) {
			kill(s->clusters[arm], SIGKILL);
			waitpid(s->clusters[arm], NULL, 0);
		}
	if (s->directory[0])
		nftw(s->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
