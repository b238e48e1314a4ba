#ifndef CONTROL_CONFIG_TYPES_H
#define CONTROL_CONFIG_TYPES_H

/*
 * The types of keys that only the configuration of a balancer has. The structs of their values are
 * in config.h.
 */

#include "control/keys.h"

extern const struct key_type key_addresses;    /* struct config_address *: one, or a list */
extern const struct key_type key_nodes;	       /* struct config_node *: a list of URLs */
extern const struct key_type key_host_names;   /* struct config_name *: a name or a list */
extern const struct key_type key_host;	       /* struct config_host */
extern const struct key_type key_statuses;     /* struct config_statuses: 200, 200-499 */
extern const struct key_type key_workers;      /* uint32_t: auto is 0 */
extern const struct key_type key_networks;     /* struct config_networks: one, or a list */
extern const struct key_type key_pattern;      /* const char *: see pattern.h; NULL: none */
extern const struct key_type key_request_path; /* const char *: "/path?query" */

#endif
