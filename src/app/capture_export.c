#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "app/capture.h"
#include "app/terminal.h"
#include "base/bug.h"
#include "capture/follower.h"
#include "capture/traffic.h"

enum format { FORMAT_TRAFFICSTREAM, FORMAT_JSONL, FORMAT_HAR, FORMATS };

static const char *const formats[FORMATS] = { "trafficstream", "jsonl", "har" };

/* Where the output goes: through gzip for trafficstream, as it is for the others. */
struct target {
	FILE *file;
	gzFile packed;
	bool failed;
	FILE *summary; /* what was written, and what was left out: printed when all is written */
};

/* --- TrafficStream --- */

static void write_record(void *user, struct span connection, struct span record)
{
	struct target *t = user;
	size_t room = record.n / 3 * 4 + 5;
	char *text = malloc(room);
	must(text);
	int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)record.at,
				(int)record.n);
	t->failed |= gzwrite(t->packed, connection.at, (unsigned)connection.n) <= 0 ||
		     gzwrite(t->packed, "|", 1) <= 0 ||
		     gzwrite(t->packed, text, (unsigned)n) <= 0 || gzwrite(t->packed, "\n", 1) <= 0;
	free(text);
}

/* "3 requests"; of one, without the "s". */
static void say_number(FILE *to, unsigned long long n, const char *noun)
{
	fprintf(to, "%llu %s%s", n, noun, n == 1 ? "" : "s");
}

static void say_left(FILE *to, unsigned long long n, bool *some, const char *noun, const char *why)
{
	if (!n)
		return;
	fputs(*some ? ", " : "; left out: ", to);
	say_number(to, n, noun);
	fprintf(to, " %s", why);
	*some = true;
}

static void say_traffic(FILE *to, const struct traffic_counts *n)
{
	bool some = false;
	fputs("crossfade capture: ", to);
	say_number(to, n->requests, "request");
	fputs(" and ", to);
	say_number(to, n->responses, "response");
	fputs(" written", to);
	say_left(to, n->requests_cut, &some, "request", "cut short");
	say_left(to, n->responses_cut, &some, "response",
		 "recorded in part (capture.responses says whose bodies are)");
	say_left(to, n->responses_early, &some, "response", "ahead of its request's end");
	say_left(to, n->open, &some, "exchange", "without an outcome yet");
	fputs(some ? "\n" : "; nothing was left out\n", to);
}

static enum reader_verdict export_traffic(struct consumer *c, struct target *t, struct position *to)
{
	const struct trafficstream_user user = { .record = write_record, .user = t };
	struct traffic *traffic = traffic_open(&user);
	struct reading reading;
	enum reader_verdict v;
	if (to)
		traffic_restore(traffic, &c->follower.position);
	while ((v = consumer_next(c, &reading)) != READER_END && v != READER_ERROR)
		if (v == READER_FRAME)
			traffic_take(traffic, &reading);
	if (to) {
		consumer_position(c, to);
		traffic_position(traffic, c->reader, to);
	} else
		traffic_end(traffic);
	struct traffic_counts counts = traffic_counts(traffic);
	say_traffic(t->summary, &counts);
	traffic_close(traffic);
	return v;
}

/* --- JSON lines and HAR --- */

struct lines {
	struct target *target;
	const struct capture_filter *filter;
	enum format format;
	const struct reader *reader;
	bool follows;
	uint64_t written, misfits[MISFITS], go_on;
};

/* Most of what is before --from is not read, so it is not counted. */
static void say_lines(const struct lines *l, uint64_t orphans)
{
	FILE *to = l->target->summary;
	bool some = false;
	fputs("crossfade capture: ", to);
	say_number(to, l->written, "exchange");
	fputs(" written", to);
	if (l->filter->to)
		say_left(to, l->misfits[MISFIT_TIME], &some, "exchange", "by --to and --from");
	say_left(to, l->misfits[MISFIT_METHOD], &some, "exchange", "by --method");
	say_left(to, l->misfits[MISFIT_PATH], &some, "exchange", "by --path");
	say_left(to, l->misfits[MISFIT_STATUS], &some, "exchange", "by --status");
	say_left(to, l->go_on, &some, "exchange", "without an outcome yet (next time)");
	if (!l->follows && !l->filter->from)
		say_left(to, orphans, &some, "record", "whose exchange begins before this log");
	if (l->filter->from)
		fprintf(to, "%s all that is before --from", some ? "," : "; left out:");
	fputs(some || l->filter->from ? "\n" : "; nothing was left out\n", to);
}

/* Text; or bytes that are not UTF-8, which are read as Latin-1, as browsers do. */
static json_t *har_text(const char *at, size_t n)
{
	json_t *j = json_stringn(at, n);
	if (j)
		return j;
	char *text = malloc(2 * n + 1), *to = text;
	must(text);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)at[i];
		if (c >= 0x80)
			*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
	}
	j = json_stringn(text, (size_t)(to - text));
	free(text);
	return j;
}

/* The fields of a head, in HAR's form. */
static json_t *har_fields(struct exchange_record_text head, size_t from)
{
	json_t *list = json_array();
	const char *at = head.n > from ? strstr(head.at + from, "\r\n") : NULL;
	for (const char *end; at && (end = strstr(at + 2, "\r\n")) && end > at + 2; at = end) {
		const char *name = at + 2, *colon = memchr(name, ':', (size_t)(end - name));
		if (!colon)
			continue;
		const char *value = colon + 2 <= end ? colon + 2 : end;
		json_array_append_new(list,
				      json_pack("{s:s%,s:o}", "name", name, (size_t)(colon - name),
						"value", har_text(value, (size_t)(end - value))));
	}
	return list;
}

/* A field's value; "" where there is no such field. */
static const char *har_value(const json_t *fields, const char *name)
{
	size_t i;
	const json_t *f;
	json_array_foreach(fields, i, f)
		if (!strcasecmp(json_string_value(json_object_get(f, "name")), name))
			return json_string_value(json_object_get(f, "value"));
	return "";
}

/* The query's names and values, as they stand in the target. */
static json_t *har_query(struct span target)
{
	json_t *list = json_array();
	const char *end = target.at + target.n,
		   *at = target.n ? memchr(target.at, '?', target.n) : NULL;
	while (at && ++at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		size_t n = (size_t)((next ? next : end) - at);
		const char *equals = memchr(at, '=', n);
		size_t name_n = equals ? (size_t)(equals - at) : n;
		size_t value_n = equals ? n - name_n - 1 : 0;
		json_array_append_new(list,
				      json_pack("{s:o,s:o}", "name", har_text(at, name_n), "value",
						har_text(at + n - value_n, value_n)));
		at = next;
	}
	return list;
}

/* The response's reason phrase, which may be empty. */
static json_t *har_reason(const struct exchange_record *s)
{
	const char *line = s->response_heads.n ? s->response_heads.at + s->response_at : "";
	size_t n = strcspn(line, "\r"), before = sizeof "HTTP/1.1 200 " - 1;
	return n > before ? har_text(line + before, n - before) : json_string("");
}

static json_t *har_body(struct exchange_record_text body, const json_t *fields)
{
	const char *type = har_value(fields, "Content-Type");
	json_t *text = json_stringn(body.at ? body.at : "", body.n);
	if (text)
		return json_pack("{s:s,s:o}", "mimeType", type, "text", text);
	char *base64 = malloc(body.n / 3 * 4 + 5);
	must(base64);
	EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)body.at, (int)body.n);
	json_t *j =
		json_pack("{s:s,s:s,s:s}", "mimeType", type, "encoding", "base64", "text", base64);
	free(base64);
	return j;
}

static json_t *har_url(const struct exchange_record *s)
{
	struct span target = exchange_record_target(s);
	const char *host = s->request_head.n ? strcasestr(s->request_head.at, "\r\nhost: ") : NULL;
	size_t n = host ? strcspn(host + 8, "\r") : 0;
	return json_sprintf("%s://%.*s%.*s", exchange_record_scheme(s), (int)n,
			    host ? host + 8 : "", (int)target.n, target.at);
}

static json_t *har_entry(const struct exchange_record *s)
{
	json_t *all = exchange_record_json(s, false);
	const char *time = json_string_value(json_object_get(all, "time"));
	struct span method = exchange_record_method(s);
	double ms = json_real_value(json_object_get(all, "latency")) * 1000;
	json_t *asked = har_fields(s->request_head, 0);
	json_t *told = har_fields(s->response_heads, s->response_at);
	json_t *request = json_pack(
		"{s:s%,s:o,s:s,s:[],s:O,s:o,s:I,s:I}", "method", method.at ? method.at : "",
		method.n, "url", har_url(s), "httpVersion", "HTTP/1.1", "cookies", "headers", asked,
		"queryString", har_query(exchange_record_target(s)), "headersSize",
		(json_int_t)s->request_head.n, "bodySize", (json_int_t)s->request_bytes);
	if (s->request_body.n)
		json_object_set_new(request, "postData", har_body(s->request_body, asked));
	json_t *content = har_body(s->response_body, told);
	json_object_set_new(content, "size", json_integer((json_int_t)s->response_body.n));
	json_t *response = json_pack(
		"{s:i,s:o,s:s,s:[],s:O,s:o,s:s,s:I,s:I}", "status", (int)exchange_record_status(s),
		"statusText", har_reason(s), "httpVersion", "HTTP/1.1", "cookies", "headers", told,
		"content", content, "redirectURL", har_value(told, "Location"), "headersSize",
		(json_int_t)(s->response_heads.n - s->response_at), "bodySize",
		(json_int_t)s->response_bytes);
	json_decref(asked);
	json_decref(told);
	json_t *entry =
		json_pack("{s:s,s:f,s:o,s:o,s:{},s:{s:i,s:f,s:i},s:O}", "startedDateTime", time,
			  "time", ms, "request", request, "response", response, "cache", "timings",
			  "send", 0, "wait", ms, "receive", 0, "_crossfade", all);
	json_decref(all);
	must(entry);
	return entry;
}

static void write_exchange_record(struct lines *l, const struct exchange_record *s)
{
	enum capture_misfit misfit = capture_misfit(l->filter, s);
	l->misfits[misfit]++;
	if (misfit)
		return;
	json_t *j = l->format == FORMAT_HAR ? har_entry(s) : exchange_record_json(s, true);
	if (l->format == FORMAT_HAR && l->written)
		fputs(",\n", l->target->file);
	terminal_put_json(j, l->target->file);
	if (l->format == FORMAT_JSONL)
		putc('\n', l->target->file);
	l->written++;
	json_decref(j);
}

/* A follower gets exchanges that still go on when they are over. */
static void write_open(void *user, const struct exchange_record *s)
{
	struct lines *l = user;
	if (!l->follows || reader_is_over(l->reader, s->generation))
		write_exchange_record(l, s);
	else
		l->go_on++;
}

static enum reader_verdict export_lines(struct consumer *c, struct lines *l, struct position *to)
{
	struct exchange_records *exchange_records = exchange_records_open(true);
	exchange_records_look_at_bulks(exchange_records);
	struct reading reading;
	enum reader_verdict v;
	while ((v = consumer_next(c, &reading)) != READER_END && v != READER_ERROR) {
		struct exchange_record *s =
			v == READER_FRAME ? exchange_records_take(exchange_records, &reading)
					  : NULL;
		if (!s)
			continue;
		write_exchange_record(l, s);
		exchange_record_free(s);
	}
	exchange_records_each_open(exchange_records, c->reader, write_open, l);
	if (to) {
		consumer_position(c, to);
		exchange_records_position(exchange_records, c->reader, to);
	}
	say_lines(l, exchange_records_orphans(exchange_records));
	exchange_records_close(exchange_records);
	return v;
}

static enum reader_verdict export_har(struct consumer *c, struct lines *l, struct position *to)
{
	fprintf(l->target->file,
		"{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"crossfade\",\"version\":"
		"\"%s\"},\"entries\":[\n",
		CROSSFADE_VERSION);
	enum reader_verdict v = export_lines(c, l, to);
	fputs("\n]}}\n", l->target->file);
	return v;
}

/* --- the command --- */

static bool find_format(const struct command *c, const char *word, enum format *format)
{
	for (*format = 0; word && *format < FORMATS; ++*format)
		if (!strcmp(word, formats[*format]))
			return true;
	command_misused(c,
			word ? "--format %s is not known; it can be trafficstream, jsonl or har"
			     : "--format is expected: trafficstream, jsonl or har",
			word);
	return false;
}

/* What is in the log may be secret, and so may be what is exported. */
static FILE *make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static bool open_target(struct target *t, const char *path, bool packed)
{
	t->file = path ? make_file(path) : stdout;
	if (!t->file) {
		fprintf(stderr, "crossfade capture: cannot make %s: %s\n", path, strerror(errno));
		return false;
	}
	t->packed = packed ? gzdopen(dup(fileno(t->file)), "w") : NULL;
	return !packed || t->packed;
}

static bool close_target(struct target *t)
{
	bool good = !t->failed;
	if (t->packed)
		good = gzclose(t->packed) == Z_OK && good;
	good = !ferror(t->file) && fflush(t->file) == 0 && good;
	/* A pipe cannot be synced. */
	good = (!fsync(fileno(t->file)) || errno == EINVAL || errno == EROFS) && good;
	if (t->file != stdout)
		good = fclose(t->file) == 0 && good;
	if (!good)
		fprintf(stderr, "crossfade capture: not all could be written: %s\n",
			strerror(errno));
	return good;
}

struct task {
	enum format format;
	const char *path; /* NULL: standard output */
	const struct capture_filter *filter;
	const char *follower; /* NULL: no follower */
};

static enum reader_verdict export_as(struct consumer *c, struct target *t, const struct task *task,
				     struct position *to)
{
	struct lines l = { .target = t,
			   .filter = task->filter,
			   .format = task->format,
			   .reader = c->reader,
			   .follows = task->follower };
	if (task->format == FORMAT_TRAFFICSTREAM)
		return export_traffic(c, t, to);
	return task->format == FORMAT_HAR ? export_har(c, &l, to) : export_lines(c, &l, to);
}

static int export_to(struct consumer *c, struct target *t, const struct task *task)
{
	struct position to = { 0 };
	if (task->filter->from)
		reader_seek_time(c->reader, task->filter->from_ns);
	enum reader_verdict v = export_as(c, t, task, task->follower ? &to : NULL);
	int code = v == READER_ERROR ? capture_failed(c->reader) : EXIT_OK;
	if (!close_target(t))
		code = EXIT_NO;
	if (code == EXIT_OK && task->follower && !consumer_keep(c, &to)) {
		fprintf(stderr, "crossfade capture: cannot save the position of %s: %s\n",
			task->follower, strerror(errno));
		code = EXIT_NO;
	}
	position_free(&to);
	return code;
}

static int export_to_path(struct consumer *c, const struct task *task)
{
	struct target t = { 0 };
	char *summary;
	size_t n;
	if (!open_target(&t, task->path, task->format == FORMAT_TRAFFICSTREAM))
		return EXIT_NO;
	t.summary = open_memstream(&summary, &n);
	must(t.summary);
	int code = export_to(c, &t, task);
	fclose(t.summary);
	if (code == EXIT_OK)
		fputs(summary, stderr);
	free(summary);
	return code;
}

static int export_in(const char *directory, const struct task *task)
{
	struct consumer c;
	if (!capture_consume(&c, directory, task->follower))
		return EXIT_NO;
	int code = export_to_path(&c, task);
	capture_tell_holes(c.reader);
	consumer_close(&c);
	return code;
}

static bool filter_is_set(const struct capture_filter *f)
{
	return f->from || f->to || f->path || f->method || f->status;
}

/* False after a diagnostic. */
static bool is_possible(const struct command *c, const struct task *task)
{
	const char *follower = task->follower;
	if (task->format == FORMAT_TRAFFICSTREAM && filter_is_set(task->filter))
		command_misused(c, "trafficstream has whole connections: it cannot be filtered");
	else if (task->format == FORMAT_TRAFFICSTREAM && !task->path && isatty(STDOUT_FILENO))
		command_misused(
			c, "trafficstream is compressed, and not for a terminal: use --output");
	else if (follower && filter_is_set(task->filter))
		command_misused(c, "a follower cannot be filtered: it would lose what is left out");
	else if (follower && !follower_name_is_good(follower))
		command_misused(c,
				"--follower %s is not a name: write 1 to 32 of a-z, 0-9, - and _",
				follower);
	else if (follower && !strcmp(follower, FOLLOWER_KAFKA))
		command_misused(c,
				"--follower %s is the balancer's own follower: choose another name",
				follower);
	else
		return true;
	return false;
}

int capture_export(const struct command *c, int argc, char **argv)
{
	struct capture_options o = { 0 };
	struct capture_filter filter = { 0 };
	struct task task = { .filter = &filter };
	const char *word = NULL;
	const struct command_option options[] = { CAPTURE_OPTIONS(&o),
						  FILTER_OPTIONS(&filter),
						  { 0, "format", &word, NULL },
						  { 0, "follower", &task.follower, NULL },
						  { 'o', "output", &task.path, NULL } };
	int code, operands = command_options(c, argc, argv, options,
					     sizeof options / sizeof options[0], &code);
	if (operands < 0)
		return code;
	if (operands > 0)
		return command_misused(c, "'%s' is not expected here", argv[1]);
	if (task.path && !strcmp(task.path, "-"))
		task.path = NULL;
	if (!find_format(c, word, &task.format) || !capture_filter_read(c, &filter) ||
	    !is_possible(c, &task))
		return EXIT_USAGE;
	char *directory = capture_directory(c, &o, &code);
	if (!directory)
		return code;
	code = export_in(directory, &task);
	free(directory);
	return code;
}
