#include "control/compare_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/log.h"
#include "io/own_file.h"

/* --- on the disk's thread --- */

static void compare_file_read(struct compare_file *f)
{
	json_t *j = NULL;
	int fd = own_file_open_in(f->workers->config->state, COMPARE_FILE, O_RDONLY, 0);
	if (fd < 0) {
		f->error = errno == ENOENT ? 0 : errno;
		return;
	}
	j = json_loadfd(fd, 0, NULL);
	f->error = j ? 0 : EINVAL;
	f->text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	close(fd);
}

static void compare_file_work(struct disk_job *j)
{
	struct compare_file *f = list_entry(j, struct compare_file, job);
	f->error = 0;
	if (!f->writes)
		compare_file_read(f);
	else if (!own_file_replace(f->workers->config->state, COMPARE_FILE, span_of(f->text)))
		f->error = errno;
}

/* --- on the loop --- */

static void compare_file_done(struct disk_job *j)
{
	struct compare_file *f = list_entry(j, struct compare_file, job);
	if (f->error)
		log_line(f->writes ? LOG_ERROR : LOG_WARN, COMPARE_FILE " cannot be %s: %s",
			 f->writes ? "saved" : "read", strerror(f->error));
	if (!f->writes && !f->last && f->text)
		f->last = json_loads(f->text, 0, NULL);
	free(f->text);
	f->text = NULL;
	f->busy = false;
}

static void compare_file_put(struct compare_file *f, char *text /* moved in */)
{
	f->text = text;
	f->writes = text != NULL;
	f->busy = true;
	f->job = (struct disk_job){ .work = compare_file_work, .done = compare_file_done };
	list_init(&f->job.link);
	disk_jobs_put(f->disk, &f->job);
}

static void compare_file_look(struct replay *r, void *user)
{
	struct compare_file *f = user;
	f->text = replay_compare(r) ? compare_last(replay_compare(r), &f->ended) : NULL;
}

void compare_file_turn(struct compare_file *f)
{
	if (f->busy)
		return;
	if (!f->read) {
		f->read = true;
		compare_file_put(f, NULL);
		return;
	}
	workers_with_replay(f->workers, compare_file_look, f);
	if (!f->text)
		return;
	json_t *j = json_loads(f->text, 0, NULL);
	const char *result = json_string_value(json_object_get(j, "result"));
	log_line(LOG_INFO, "compare: %s", result ? result : "begun anew");
	json_decref(f->last);
	f->last = j;
	compare_file_put(f, f->text);
}

/* --- what it says --- */

json_t *compare_file_json(const struct compare_file *f)
{
	if (!f->last)
		return NULL;
	json_t *j = json_copy(f->last);
	json_object_del(j, "differences");
	json_object_del(j, "hints");
	json_object_del(j, "stage");
	return j;
}

void compare_file_metrics(const struct compare_file *f, FILE *to)
{
	static const char *const results[] = { "equal", "different", "unknown", "stopped" };
	const char *result = json_string_value(json_object_get(f->last, "result")), *name;
	json_t *numbers = json_object_get(f->last, "numbers"), *number;
	if (!result)
		return;
	fputs("# HELP crossfade_compare_result What the last comparison of owner and replica "
	      "said: 1 for that.\n"
	      "# TYPE crossfade_compare_result gauge\n",
	      to);
	for (size_t i = 0; i < sizeof results / sizeof *results; i++)
		fprintf(to, "crossfade_compare_result{result=\"%s\"} %d\n", results[i],
			!strcmp(result, results[i]));
	fputs("# HELP crossfade_compare_found What the last comparison has found, by kind.\n"
	      "# TYPE crossfade_compare_found gauge\n",
	      to);
	json_object_foreach(numbers, name, number)
		fprintf(to, "crossfade_compare_found{kind=\"%s\"} %lld\n", name,
			(long long)json_integer_value(number));
	fprintf(to,
		"# HELP crossfade_compare_last_timestamp_seconds When the last comparison ended, "
		"since "
		"1970.\n"
		"# TYPE crossfade_compare_last_timestamp_seconds gauge\n"
		"crossfade_compare_last_timestamp_seconds %lld\n",
		(long long)json_integer_value(json_object_get(f->last, "ended_s")));
}

/* --- a life --- */

void compare_file_open(struct compare_file *f, struct workers *w, struct disk_jobs *disk)
{
	*f = (struct compare_file){ .workers = w, .disk = disk };
}

void compare_file_close(struct compare_file *f)
{
	json_decref(f->last);
	free(f->text);
	*f = (struct compare_file){ 0 };
}
