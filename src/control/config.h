#ifndef CONTROL_CONFIG_H
#define CONTROL_CONFIG_H

/*
 * A configuration as it was written: read completely, with defaults filled in and all diagnostics
 * collected. It holds texts and numbers only; compile.h makes a plan from it. A configuration has a
 * reference count (`holds`), used by one thread only: each plan holds the configuration that it was
 * made from.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "control/diagnostics.h"
#include "control/config_fields.h"
#include "control/keys.h"
#include "http/h1_parse.h"
#include "io/networks.h"
#include "proxy/plan.h"

struct config_address {
	struct addr addr;
	const char *text; /* as it was written */
	size_t at;
	struct config_address *next;
};

struct config_networks {
	struct networks list;
	size_t at; /* NOWHERE: there is no such key */
};

/* The value of a choice of two that the text does not set: the profile decides. */
#define CONFIG_BY_PROFILE 2
/* The value of a choice that the text does not set, where that is to be told from the usual one. */
#define CONFIG_UNSET UINT32_MAX

struct config_listener {
	struct section_head head; /* NOWHERE: there is no such listener */
	struct config_address *addresses;
	uint32_t tls;	    /* bool */
	uint32_t forwarded; /* enum forwarded */
	uint32_t trace;	    /* enum trace */
	uint64_t body_max;  /* bytes; 0: any number */
	struct config_networks allow, trust;
	uint32_t half_close;	  /* 0: serve, 1: end, or CONFIG_BY_PROFILE */
	uint32_t proxy_protocol;  /* bool */
	uint32_t targets;	  /* 0: strict, 1: lenient */
	const char *health;	  /* a path; NULL: none */
	uint32_t connections_max; /* 0: any number */
};

struct config_node {
	const char *name; /* as its Host field would be: "es-1:9200" */
	const char *host; /* a DNS name, or a literal address without brackets */
	uint16_t port;
	bool port_said; /* else `port` is the default of the scheme */
	bool tls;
	bool literal; /* `addr` is set, and no name is looked up */
	struct addr addr;
	size_t at;
	struct config_node *next;
};

/* Whether both name the same host and port, in any spelling. No name is looked up for this. */
bool config_node_is(const struct config_node *a, const struct config_node *b);

struct config_host {
	enum host_policy policy;
	const char *name; /* HOST_NAME */
};

struct config_statuses {
	uint16_t least, most;
};

struct config_health {
	struct section_head head;
	const char *path;
	uint32_t interval_ms, timeout_ms, passes, failures;
	struct config_statuses expected;
	struct config_credential authorization; /* NULL: the cluster's is used */
	const char *body; /* a pattern for the response's body; NULL: any body */
};

/* NULL in a member: any. */
struct config_response_timeout {
	struct section_head head;
	const char *method, *path;
	uint32_t response_ms;
	struct config_response_timeout *next;
};

struct config_cluster_timeouts {
	struct section_head head;
	uint32_t response_ms; /* 0: as idle_ms */
	uint32_t asked_ms;    /* most that a request may ask for; 0: ignored */
	struct config_response_timeout *rules;
	uint32_t connect_ms, idle_ms, keep_alive_ms, tunnel_ms, queue_ms;
};

struct config_eject {
	struct section_head head;
	uint32_t failures, pause_ms;
};

struct config_cluster_headers {
	struct section_head head;
	struct config_field *set, *remove;
	uint32_t underscores; /* 0: drop, 1: pass */
};

struct config_limits {
	struct section_head head;
	uint64_t response_head_bytes;
	uint32_t response_fields;
};

struct config_cluster {
	struct section_head head;
	struct config_node *nodes;
	struct key_file_value ca; /* path NULL: the trust store of the system */
	uint32_t verify;	  /* bool */
	uint32_t tls;		  /* 0: modern, 1: legacy */
	uint32_t balance;	  /* enum balance */
	struct config_host host;
	struct config_credential authorization;
	struct config_cluster_headers headers;
	struct config_health health;
	struct config_eject eject;
	uint32_t connections; /* for one node; 0: any number */
	struct config_cluster_timeouts timeouts;
	struct config_limits limits;
};

static inline struct h1_limits config_response_limits(const struct config_cluster *c)
{
	return (struct h1_limits){ (uint32_t)c->limits.response_head_bytes,
				   (uint16_t)c->limits.response_fields };
}

struct config_certificate {
	struct section_head head;
	struct key_file_value certificate, key;
	struct config_certificate *next;
};

struct config_tls {
	struct section_head head;
	struct config_certificate certificate; /* the default; the next ones are chosen by name */
	uint32_t policy;		       /* enum tls_policy */
};

struct config_weights {
	struct section_head head;
	uint32_t arms[ARMS];
};

struct config_sticky {
	struct section_head head;
	uint32_t by; /* enum sticky_by */
	const char *name;
	uint32_t seed;
};

struct config_override {
	struct section_head head;
	struct config_networks allow;
};

struct config_timeouts {
	struct section_head head;
	uint32_t head_ms, idle_ms, keep_alive_ms, tunnel_ms, drain_ms, leave_ms, tcp_keepalive_ms;
};

/* A DNS name. */
struct config_name {
	const char *text;
	struct config_name *next;
};

struct config_admin {
	struct section_head head;
	struct config_address *addresses; /* NULL: none */
	struct config_name *hosts;	  /* names that clients of `addresses` may send as Host */
	const char *socket;
	struct config_tls tls; /* of `addresses`; head NOWHERE: clear text */
};

struct config_redact {
	struct config_field *names;
	bool none; /* nothing is redacted; else `names` add to the defaults */
};

struct config_log {
	struct section_head head;
	const char *access;		   /* NULL: no access log */
	uint32_t format;		   /* 0: ACCESS_ALB, 1: ACCESS_JSON */
	struct config_redact redact_query; /* names of parameters */
};

/* The value of `sniffing` that the text does not set: the profile decides. */
#define CONFIG_SNIFFING_BY_PROFILE 3

struct config_retain {
	struct section_head head;
	uint64_t size_bytes; /* 0: any */
	uint32_t age_ms;     /* 0: any */
};

struct config_skip_header {
	struct section_head head; /* NOWHERE: any */
	const char *name;
	const char *value; /* NULL: any */
};

/* NULL in a member: any. */
struct config_skip {
	struct section_head head;
	const char *method, *path;
	struct config_skip_header header;
	struct config_skip *next;
};

struct config_kafka_tls {
	struct section_head head; /* NOWHERE: clear text */
	struct key_file_value ca, certificate, key;
};

struct config_kafka_sasl {
	struct section_head head;
	uint32_t mechanism;
	const char *username;
	const char *password; /* the password in that file */
};

struct config_kafka_security {
	struct section_head head;
	struct config_kafka_tls tls;
	struct config_kafka_sasl sasl;
};

struct config_kafka {
	struct section_head head; /* NOWHERE: nothing is sent to Kafka */
	const char *brokers;	  /* "host:port,host:port" */
	const char *topic, *client_id;
	uint32_t compression, acks;
	struct config_kafka_security security;
};

enum config_durable_at { DURABLE_AT_DISK, DURABLE_AT_KAFKA };

struct config_capture {
	struct section_head head; /* NOWHERE: nothing is recorded */
	const char *directory;
	uint32_t durable, acknowledge, unavailable, tunnels, responses; /* capture/policy.h */
	uint32_t gate; /* enum gate_grain, or CONFIG_BY_PROFILE */
	uint32_t commit_ms;
	uint32_t compress; /* bool */
	uint64_t segment_bytes;
	struct config_retain retain;
	uint64_t limit_bytes; /* 0: any */
	struct config_redact redact;
	struct config_field *redact_query; /* names of parameters */
	struct config_kafka kafka;
	uint32_t durable_at; /* enum config_durable_at */
	struct config_skip *skip;
};

struct config_replay_batch {
	struct section_head head;
	uint64_t bytes;
	uint32_t operations, wait_ms;
};

struct config_replay_credentials {
	struct section_head head;
	struct config_credential arms[ARMS];
};

/* Patterns of indices, as replay/index_filter.h has them. */
struct config_indices {
	const char *const *list; /* in the arena, or constants */
	size_t n;
};

struct config_replay {
	struct section_head head; /* NOWHERE: nothing is replayed */
	struct config_indices indices;
	uint64_t from_ns; /* by the wall clock; 0: where the log begins */
	uint32_t rate;	  /* operations a second; 0: no limit */
	struct config_replay_batch batch;
	struct config_replay_credentials credentials;
	uint32_t in_flight;
	uint32_t uncertain, refused; /* enum resend_policy, or CONFIG_UNSET: RESEND_STOP */
};

enum config_listener_kind { LISTENER_WEIGHTED, LISTENER_SOURCE, LISTENER_TARGET, LISTENER_KINDS };

struct config_listeners {
	struct section_head head;
	struct config_listener kinds[LISTENER_KINDS];
};

enum config_io { CONFIG_IO_AUTO, CONFIG_IO_URING, CONFIG_IO_EPOLL };

struct config {
	struct section_head head;
	struct config_listeners listeners;
	struct config_tls tls;
	struct config_cluster clusters[ARMS];
	struct config_weights weights;
	struct config_sticky sticky;
	struct config_override override;
	struct config_timeouts timeouts;
	struct config_admin admin;
	struct config_log log;
	struct config_capture capture;
	struct config_replay replay;
	uint32_t workers;	 /* 0: one for each core */
	uint64_t memory;	 /* bytes, for each worker's clients and each cluster's nodes */
	uint32_t io;		 /* enum config_io */
	uint32_t unknown_status; /* 0: by the profile */
	uint32_t profile;	 /* enum profile */
	uint32_t sniffing;	 /* enum sniffing less one, or CONFIG_SNIFFING_BY_PROFILE */
	const char *state;

	struct saved_files read; /* the files that it names, as they were read */
	/*
	 * After a crash the configuration is read from these texts instead of the disk. Borrowed
	 * for ever.
	 */
	const struct saved_files *kept;
	const struct yaml *root;	/* the text as a tree; NULL: the text is not YAML */
	struct diagnostics diagnostics; /* none: no mistake was found so far */
	unsigned holds;
	struct slab chunks;
	struct arena arena;
};

/* Adds one hold to the reader's own. config_close() gives one hold back; the last one frees it. */
struct config *config_hold(struct config *c);
void config_close(struct config *c);

/*
 * The place of a key such as "admin.socket", else of its section, else NOWHERE: for diagnostics
 * that are found after reading.
 */
size_t config_place(const struct config *c, const char *path);

/* "weighted", "source", "target". */
const char *listener_name(enum config_listener_kind k);

/* The table of all keys, for the manual. */
const struct section *config_section(void);

#endif
