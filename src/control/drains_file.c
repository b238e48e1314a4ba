#include "control/drains_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/log.h"
#include "control/admin_body.h"
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
			json_array_append_new(
				list,
				json_pack("{s:s,s:I,s:o,s:o}", "node", node_full_name(n, name),
					  "since", (json_int_t)(n->drained_wall_ns / 1000000), "by",
					  admin_body_log_text(n->drained_by), "why",
					  admin_body_log_text(n->drained_why)));
	}
	json_t *j = json_pack("{s:o}", "drained", list);
	char *text = json_dumps(j, JSON_INDENT(1));
	json_decref(j);
	return text;
}

bool drains_file_write(const char *directory, const char *text)
{
	errno = ENOMEM;
	return text && own_file_replace(directory, FILE_NAME, span_of(text));
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
			 "drain: %s was drained, but is not in the configuration: its drain is "
			 "forgotten",
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

static char *drains_file_read_all(int fd)
{
	char *text = NULL;
	size_t n = 0, room = 0;
	for (;;) {
		if (n + 1 >= room) {
			char *more = realloc(text, room = room ? 2 * room : 4096);
			must(more);
			text = more;
		}
		ssize_t got = read(fd, text + n, room - 1 - n);
		if (got < 0) {
			int why = errno;
			free(text);
			errno = why;
			return NULL;
		}
		n += (size_t)got;
		text[n] = 0;
		if (!got)
			return text;
	}
}

bool drains_file_text_of(const char *directory, char **text)
{
	*text = NULL;
	int fd = own_file_open_in(directory, FILE_NAME, O_RDONLY, 0);
	if (fd < 0)
		return errno == ENOENT;
	*text = drains_file_read_all(fd);
	int why = errno;
	close(fd);
	errno = why;
	return *text != NULL;
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
