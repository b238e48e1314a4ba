#include "control/drains_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/asked.h"
#include "io/own_file.h"

#define FILE_NAME "drained.json"

/* --- saving --- */

char *drains_file_text(const struct nodes *nodes)
{
	json_t *list = json_array();
	for (size_t i = 0; i < nodes->n; i++) {
		const struct node_record *n = nodes->list[i];
		char name[NODE_NAME_BYTES];
		if (node_duty(n) != DUTY_READY)
			json_array_append_new(list,
					      json_pack("{s:s,s:I,s:o,s:o}", "node",
							node_full_name(n, name), "since",
							(json_int_t)(n->drained_wall_ns / 1000000),
							"by", asked_json(n->drained_by), "why",
							asked_json(n->drained_why)));
	}
	json_t *j = json_pack("{s:o}", "drained", list);
	char *text = json_dumps(j, JSON_INDENT(1));
	json_decref(j);
	return text;
}

bool drains_file_save(const char *directory, const struct nodes *nodes)
{
	char *text = drains_file_text(nodes);
	errno = ENOMEM;
	bool good = text && own_file_replace(directory, FILE_NAME, span_of(text));
	free(text);
	return good;
}

/* --- loading --- */

struct loading {
	struct nodes *nodes;
	enum node_duty duty;
	bool *listed;
};

static void load_one(const struct loading *l, json_t *one, const char *name)
{
	struct node_search found = nodes_search(l->nodes, name);
	json_int_t since = 0;
	const char *by = "", *why = "";
	json_unpack(one, "{s?I,s?s,s?s}", "since", &since, "by", &by, "why", &why);
	for (size_t i = 0; i < l->nodes->n; i++)
		if (found.n == 1 && l->nodes->list[i] == found.node)
			l->listed[i] = true;
	if (found.n == 1)
		node_drain(found.node, l->duty, (uint64_t)since * 1000000, by, why);
	else
		log_line(LOG_WARN,
			 "drain: %s was drained, and is not in the configuration: it is forgotten",
			 name);
}

static bool load_all(json_t *j /* moved in */, struct nodes *nodes, enum node_duty duty,
		     bool listed[NODES_MAX])
{
	const struct loading l = { nodes, duty, listed };
	json_t *one;
	const json_t *list = json_object_get(j, "drained");
	bool good = json_is_array(list);
	size_t i;
	json_array_foreach(list, i, one) {
		const char *name = json_string_value(json_object_get(one, "node"));
		if (name)
			load_one(&l, one, name);
		good = good && name;
	}
	json_decref(j);
	errno = EINVAL;
	return good;
}

bool drains_file_read(struct span text, struct nodes *nodes, enum node_duty duty,
		      bool listed[NODES_MAX])
{
	memset(listed, 0, NODES_MAX * sizeof *listed);
	return load_all(json_loadb(text.at, text.n, 0, NULL), nodes, duty, listed);
}

bool drains_file_load(const char *directory, struct nodes *nodes, enum node_duty duty,
		      bool listed[NODES_MAX])
{
	memset(listed, 0, NODES_MAX * sizeof *listed);
	int fd = own_file_open_in(directory, FILE_NAME, O_RDONLY, 0);
	if (fd < 0)
		return errno == ENOENT;
	bool good = load_all(json_loadfd(fd, 0, NULL), nodes, duty, listed);
	int why = errno;
	close(fd);
	errno = why;
	return good;
}
