#include "replay/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/least.h"
#include "base/limits.h"
#include "replay/id_pages.h"

/* The tag of all keys that the job at work has found; those of the log are smaller. */
#define JOBS_TAG ((uintptr_t)1 << 30)

enum job_step {
	JOB_TASK,    /* the owner's task may be under way still */
	JOB_NAMES,   /* of a key: the indices behind an alias */
	JOB_BARRIER, /* copies that were read before the job began are under way still */
	JOB_OWNER,   /* the owner's ids */
	JOB_REPLICA, /* the replica's ids */
	JOB_KEYS,    /* its keys are copied */
};

struct job {
	struct list link;
	enum effect_kind kind;
	enum job_step step;
	bool uncertain; /* once more, when it can act no longer */
	uint64_t due_ms;
	uintptr_t tag;
	char *indices;	    /* owned */
	json_t *query;	    /* owned: of a sweep */
	char *task;	    /* owned: its id at the owner; NULL: it is none, or over */
	char *id, *routing; /* owned: of a key whose index may be an alias */
	uint8_t marks;	    /* likewise: of keys_write */
	uint64_t barrier;
	uint64_t wall_ns; /* when it was answered */
};

/*
 * A deletion of indices: it stands in nobody's way but that of its own keys. What the owner has of
 * them was made again meanwhile, maybe by a write that was answered before the deletion was, and
 * copied before the fence: it is scanned. A deletion of unknown outcome is done twice, now and when
 * it can act no longer, and only where the owner has that index no more; what it has is walked.
 */
struct deletion {
	struct list link;
	struct keys_fence *fence; /* NULL: not before due_ms */
	bool uncertain, once_more;
	uint64_t due_ms;
	uintptr_t tag;
	uint64_t wall_ns; /* when it was answered */
	char *indices;	  /* owned: of streams their names */
	bool is_stream;
};

struct jobs {
	struct jobs_config config;
	uint32_t response_ms;
	struct list waiting, deletions; /* struct job, struct deletion */
	struct job *job;		/* at work; owned */
	struct list along;		/* struct job: what it does as well */
	size_t out;			/* of its keys */
	struct id_pages *owner, *replica;
	struct ask ask; /* of deletions */
	struct ask job_ask;
	struct deletion *deleting;
	json_t *kept;  /* owned: of these indices, those that the owner has */
	json_t *names; /* owned: indices of the replica, as a state of it has them */
	void *at;      /* iterator of `names` */
	uint64_t not_before_ms;
	uint64_t time_ns; /* of keys that are found: later writes are not older */
	bool stopped;
	struct jobs_counts counts;
	char trouble[256];
};

static uint64_t jobs_now_ms(const struct jobs *j)
{
	return loop_now_ms(j->config.subrequests->loop);
}

static void jobs_fail(struct jobs *j, const char *why)
{
	snprintf(j->trouble, sizeof j->trouble, "%s", why);
	j->not_before_ms = jobs_now_ms(j) + JOBS_PAUSE_MS;
}

/* --- adding --- */

static char *jobs_text(struct span s)
{
	/* No name is all of them. */
	char *text = s.n ? strndup(s.at, s.n) : strdup("*");
	must(text);
	return text;
}

/* What stands behind data streams, by the names that both products give. */
static struct keys_fence *jobs_stream_fence(struct jobs *j, struct span streams)
{
	struct bytes text = { 0 };
	for (size_t i = 0; i < streams.n;) {
		const char *comma = memchr(streams.at + i, ',', streams.n - i);
		size_t n = comma ? (size_t)(comma - streams.at) - i : streams.n - i;
		bytes_add(&text, text.n ? SPAN(",.ds-") : SPAN(".ds-"));
		bytes_add(&text, (struct span){ streams.at + i, n });
		bytes_add(&text, SPAN("-*"));
		i += n + 1;
	}
	struct keys_fence *fence =
		keys_fence(j->config.keys, (struct span){ text.at ? text.at : "", text.n });
	bytes_free(&text);
	return fence;
}

static struct keys_fence *jobs_fence(struct jobs *j, struct span indices, bool is_stream)
{
	return is_stream ? jobs_stream_fence(j, indices) : keys_fence(j->config.keys, indices);
}

static bool jobs_add_deletion(struct jobs *j, struct span indices, const struct handed *h)
{
	bool is_stream = h->marks & HANDED_STREAM;
	struct keys_fence *fence = jobs_fence(j, indices, is_stream);
	if (!fence)
		return false;
	struct deletion *d = malloc(sizeof *d);
	must(d);
	*d = (struct deletion){ .fence = fence,
				.uncertain = h->marks & HANDED_UNCERTAIN,
				.once_more = h->marks & HANDED_UNCERTAIN,
				.tag = h->tag,
				.wall_ns = h->wall_ns,
				.indices = jobs_text(indices),
				.is_stream = is_stream };
	list_add_tail(&j->deletions, &d->link);
	j->counts.waiting++;
	return true;
}

bool jobs_add(struct jobs *j, const struct handed_batch *b, const struct handed *h)
{
	struct span indices = handed_span(b, h->index), query = handed_span(b, h->query);
	if (j->counts.waiting >= REPLAY_JOBS_MAX)
		return false;
	if (h->kind == EFFECT_FENCE)
		return jobs_add_deletion(j, indices, h);
	struct job *one = calloc(1, sizeof *one);
	must(one);
	one->kind = h->kind;
	one->uncertain = h->marks & (HANDED_UNCERTAIN | HANDED_TASK);
	one->tag = h->tag;
	one->wall_ns = h->wall_ns;
	one->indices = jobs_text(indices);
	if (h->marks & HANDED_TASK && h->name.n)
		one->task = jobs_text(handed_span(b, h->name));
	if (h->kind == EFFECT_KEY) {
		one->id = jobs_text(handed_span(b, h->id));
		one->routing = strndup(handed_span(b, h->routing).at, h->routing.n);
		must(one->routing);
		one->marks = h->marks & HANDED_EXTERNAL ? COPIER_MARK_EXTERNAL : 0;
	}
	if (h->kind == EFFECT_SWEEP) {
		json_t *body = json_loadb(query.at, query.n, 0, NULL);
		one->query = json_incref(json_object_get(body, "query"));
		json_decref(body);
		/* A query that cannot be read may have meant any document. */
		one->kind = one->query ? EFFECT_SWEEP : EFFECT_WALK;
	}
	list_add_tail(&j->waiting, &one->link);
	j->counts.waiting++;
	return true;
}

/* The concrete indices that an expression means at a cluster: jobs_indices_of() in `done`. */
static void jobs_ask_indices(struct ask *a, enum arm arm, const char *expression, ask_done *done)
{
	ask_json(a, arm, "GET",
		 ask_target("/_cluster/state/metadata/", expression,
			    "?filter_path=metadata.indices.*.settings.index.uuid"
			    "&ignore_unavailable=true&allow_no_indices=true&expand_wildcards=all"),
		 NULL, ASK_TIMEOUT_MS, done);
}

/* An object with each of them by its name; borrowed. NULL: there are none. */
static json_t *jobs_indices_of(const struct ask *a)
{
	return json_object_get(json_object_get(a->json, "metadata"), "indices");
}

/* The same of data streams; a new reference. */
static json_t *jobs_streams_of(const struct ask *a)
{
	json_t *names = json_object(), *one;
	size_t i;
	json_array_foreach(json_object_get(a->json, "data_streams"), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		if (name)
			json_object_set_new(names, name, json_null());
	}
	return names;
}

/* What the deletion at work means there; a new reference, NULL: nothing. */
static json_t *jobs_names_of(const struct jobs *j, const struct ask *a)
{
	return j->deleting->is_stream ? jobs_streams_of(a) : json_incref(jobs_indices_of(a));
}

/* A cluster responded; what it says that it does not have is none. */
static bool jobs_have_response(const struct ask *a, enum err why)
{
	return ask_succeeded(a, why) || (why == ERR_NONE && a->subrequest.status == 404);
}

/* --- deletions --- */

static void deletion_free(struct jobs *j, struct deletion *d)
{
	list_remove(&d->link);
	free(d->indices);
	free(d);
	j->counts.waiting--;
}

static void jobs_leave_deletion(struct jobs *j)
{
	json_decref(j->names);
	json_decref(j->kept);
	j->names = j->kept = NULL;
	j->deleting = NULL;
}

/* The job has the tag from now on. */
static void jobs_look_after(struct jobs *j, const struct deletion *d)
{
	struct job *one = calloc(1, sizeof *one);
	must(one);
	*one = (struct job){ .kind = d->uncertain ? EFFECT_WALK : EFFECT_SCAN,
			     .tag = d->tag,
			     .wall_ns = d->wall_ns };
	one->indices = jobs_text(span_of(d->indices));
	list_add_tail(&j->waiting, &one->link);
	j->counts.waiting++;
}

static void jobs_end_deletion(struct jobs *j)
{
	struct deletion *d = j->deleting;
	bool kept = json_object_size(j->kept);
	jobs_leave_deletion(j);
	/* The same name may be another index from now on. */
	id_pages_forget(j->owner);
	j->config.moved(j->config.user);
	keys_fence_lift(j->config.keys, d->fence);
	d->fence = NULL;
	if (d->once_more) {
		d->once_more = false;
		d->due_ms = jobs_now_ms(j) + j->response_ms;
		return;
	}
	j->counts.done[EFFECT_FENCE]++;
	if (kept)
		jobs_look_after(j, d);
	else
		j->config.back(j->config.user, d->tag);
	deletion_free(j, d);
}

static void jobs_retry_deletion(struct jobs *j, const struct ask *a, enum err why)
{
	char trouble[160], text[200];
	ask_trouble(a, why, trouble, sizeof trouble);
	snprintf(text, sizeof text, "deletion of indices: %s", trouble);
	jobs_leave_deletion(j);
	jobs_fail(j, text);
}

/* The owner has an index of that name: whether it is known to be another one. */
static bool deletion_was_replaced(const struct jobs *j, const char *index, const json_t *kept)
{
	const struct surrounding *s =
		surroundings_of(copier_surroundings(j->config.copier), span_of(index));
	const char *uuid = json_string_value(json_object_get(
		json_object_get(json_object_get(kept, "settings"), "index"), "uuid"));
	return s && (s->replaced || (s->uuid && uuid && strcmp(s->uuid, uuid) != 0));
}

/*
 * A pattern means what the owner had: indices that replay has never seen at the owner are the
 * replica's own.
 */
static bool deletion_means(const struct jobs *j, const char *index)
{
	if (!j->config.belongs(j->config.user, span_of(index)))
		return false;
	const json_t *kept = json_object_get(j->kept, index);
	if (j->deleting->uncertain && kept && !deletion_was_replaced(j, index, kept))
		return false;
	const struct surroundings *s = copier_surroundings(j->config.copier);
	bool all = !strpbrk(j->deleting->indices, "*");
	if (j->deleting->is_stream)
		return all || surroundings_know_stream(s, index);
	/* The replica's index of that name has other documents of the stream. */
	if (!strncmp(index, ".ds-", 4))
		return false;
	return all || surroundings_of(s, span_of(index));
}

static void jobs_delete_next(struct jobs *j);

static void jobs_forget(struct jobs *j, const char *name)
{
	struct surroundings *s = copier_surroundings(j->config.copier);
	if (j->deleting->is_stream)
		surroundings_forget_stream(s, name);
	else
		surroundings_forget(s, span_of(name));
}

static void jobs_deleted(struct ask *a, enum err why)
{
	struct jobs *j = a->user;
	/* Whether there is a response or not: the replica may have it no more. */
	jobs_forget(j, json_object_iter_key(j->at));
	if (!jobs_have_response(a, why)) {
		jobs_retry_deletion(j, a, why);
		return;
	}
	j->counts.deleted++;
	j->config.deleted(j->config.user, span_of(json_object_iter_key(j->at)),
			  j->deleting->is_stream);
	j->at = json_object_iter_next(j->names, j->at);
	jobs_delete_next(j);
}

static void jobs_delete_next(struct jobs *j)
{
	while (j->at && !deletion_means(j, json_object_iter_key(j->at)))
		j->at = json_object_iter_next(j->names, j->at);
	if (!j->at) {
		jobs_end_deletion(j);
		return;
	}
	ask_change(&j->ask, arm_other(j->config.owner), "DELETE",
		   ask_target(j->deleting->is_stream ? "/_data_stream/" : "/",
			      json_object_iter_key(j->at), ""),
		   NULL, ASK_TIMEOUT_MS, jobs_deleted);
}

static void jobs_have_names(struct ask *a, enum err why)
{
	struct jobs *j = a->user;
	if (!jobs_have_response(a, why)) {
		jobs_retry_deletion(j, a, why);
		return;
	}
	j->names = jobs_names_of(j, a);
	j->at = json_object_iter(j->names);
	jobs_delete_next(j);
}

static void jobs_ask_names(struct jobs *j, enum arm arm, const struct deletion *d, ask_done *done)
{
	if (d->is_stream)
		ask_json(&j->ask, arm, "GET", ask_target("/_data_stream/", d->indices, ""), NULL,
			 ASK_TIMEOUT_MS, done);
	else
		jobs_ask_indices(&j->ask, arm, d->indices, done);
}

static void jobs_have_kept(struct ask *a, enum err why)
{
	struct jobs *j = a->user;
	if (!jobs_have_response(a, why)) {
		jobs_retry_deletion(j, a, why);
		return;
	}
	j->kept = jobs_names_of(j, a);
	jobs_ask_names(j, arm_other(j->config.owner), j->deleting, jobs_have_names);
}

/* Nothing holds it up. */
static bool jobs_may_delete(struct jobs *j, struct deletion *d)
{
	if (!d->fence && d->due_ms <= jobs_now_ms(j))
		d->fence = jobs_fence(j, span_of(d->indices), d->is_stream);
	if (!d->fence)
		return false;
	keys_fence_drop_parked(j->config.keys, d->fence);
	return keys_fence_is_clear(j->config.keys, d->fence);
}

static void jobs_look_at_deletions(struct jobs *j)
{
	if (j->deleting)
		return;
	list_each(at, &j->deletions) {
		struct deletion *d = list_entry(at, struct deletion, link);
		if (!jobs_may_delete(j, d))
			continue;
		j->deleting = d;
		jobs_ask_names(j, j->config.owner, d, jobs_have_kept);
		return;
	}
}

/* --- scans, sweeps, walks --- */

static void job_free(struct job *one)
{
	free(one->indices);
	free(one->task);
	free(one->id);
	free(one->routing);
	json_decref(one->query);
	free(one);
}

static void job_end(struct jobs *j, struct job *one)
{
	if (one->uncertain) {
		one->uncertain = false;
		one->step = JOB_TASK;
		one->due_ms = jobs_now_ms(j) + j->response_ms;
		list_add_tail(&j->waiting, &one->link);
		return;
	}
	j->counts.done[one->kind]++;
	j->counts.waiting--;
	j->config.back(j->config.user, one->tag);
	job_free(one);
}

static void jobs_end(struct jobs *j)
{
	struct job *one = j->job;
	j->job = NULL;
	*j->trouble = 0;
	j->config.moved(j->config.user);
	job_end(j, one);
	for (struct list *at; (at = list_take_first(&j->along));)
		job_end(j, list_entry(at, struct job, link));
}

static bool jobs_found(void *user, struct span index, struct span id, struct span routing)
{
	struct jobs *j = user;
	const struct keys_write w = { .index = index,
				      .id = id,
				      .routing = routing,
				      .marks = j->job->marks,
				      .tag = JOBS_TAG,
				      .time_ns = j->time_ns };
	if (!j->config.belongs(j->config.user, index))
		return true;
	j->out++;
	j->counts.keys++;
	enum keys_added added = keys_add(j->config.keys, &w);
	if (added == KEYS_ADDED || added == KEYS_REPLACED)
		return true;
	j->out--;
	if (added == KEYS_FULL)
		return false;
	j->config.lost(j->config.user, index,
		       added == KEYS_ILLEGAL
			       ? "a scan found a document whose id or routing is too long"
			       : "a scan found more documents than a parked index can have");
	return true;
}

bool jobs_tag_back(struct jobs *j, uintptr_t tag)
{
	if (tag != JOBS_TAG)
		return false;
	must(j->out > 0);
	j->out--;
	return true;
}

static void jobs_step(struct jobs *j);

static void jobs_paged(void *user, const char *why)
{
	struct jobs *j = user;
	if (why) {
		jobs_fail(j, why);
		return;
	}
	j->job->step =
		j->job->step == JOB_OWNER && j->job->kind == EFFECT_WALK ? JOB_REPLICA : JOB_KEYS;
	if (j->job->step == JOB_REPLICA)
		jobs_step(j);
}

static void jobs_page(struct jobs *j, struct id_pages *p, enum arm arm, bool from_start)
{
	id_pages_begin(p, &(struct id_pages_config){ .arm = arm,
						     .indices = j->job->indices,
						     .query = json_incref(j->job->query),
						     .from_start = from_start,
						     .each = jobs_found,
						     .over = jobs_paged,
						     .user = j });
}

/* --- what is asked of the owner before --- */

/* A task that the owner does not know any more is over. */
static void jobs_have_task(struct ask *a, enum err why)
{
	struct jobs *j = a->user;
	bool over = why == ERR_NONE && (a->subrequest.status == 404 ||
					json_is_true(json_object_get(a->json, "completed")));
	if (!over) {
		j->not_before_ms = jobs_now_ms(j) + JOBS_PAUSE_MS;
		return;
	}
	free(j->job->task);
	j->job->task = NULL;
	j->job->uncertain = false;
}

/* Of an alias the key is copied in each index: where it is not, it is deleted, which it is already.
 */
static void jobs_have_indices(struct ask *a, enum err why)
{
	struct jobs *j = a->user;
	const char *index;
	json_t *one;
	if (!jobs_have_response(a, why)) {
		jobs_fail(j, "the indices of an alias cannot be asked for");
		return;
	}
	json_t *indices = jobs_indices_of(a);
	json_object_foreach(indices, index, one)
		jobs_found(j, span_of(index), span_of(j->job->id), span_of(j->job->routing));
	j->job->step = JOB_KEYS;
}

/* What was read at the owner before the job began is at the replica, or will never be. */
static bool jobs_passed_barrier(struct jobs *j)
{
	return copier_oldest_batch(j->config.copier) > j->job->barrier;
}

static void jobs_step(struct jobs *j)
{
	struct job *one = j->job;
	if (!ask_is_idle(&j->job_ask))
		return;
	if (one->step == JOB_TASK && one->task) {
		ask_json(&j->job_ask, j->config.owner, "GET", ask_target("/_tasks/", one->task, ""),
			 NULL, ASK_TIMEOUT_MS, jobs_have_task);
		return;
	}
	if (one->step == JOB_TASK && one->kind == EFFECT_KEY)
		one->step = JOB_NAMES;
	if (one->step == JOB_NAMES) {
		jobs_ask_indices(&j->job_ask, j->config.owner, one->indices, jobs_have_indices);
		return;
	}
	if (one->step == JOB_TASK) {
		one->barrier = copier_begun_batches(j->config.copier);
		one->step = JOB_BARRIER;
	}
	if (one->step == JOB_BARRIER && jobs_passed_barrier(j))
		one->step = one->kind == EFFECT_SWEEP ? JOB_REPLICA : JOB_OWNER;
	if (one->step == JOB_OWNER && id_pages_are_idle(j->owner))
		jobs_page(j, j->owner, j->config.owner, one->kind == EFFECT_WALK);
	else if (one->step == JOB_REPLICA && id_pages_are_idle(j->replica))
		jobs_page(j, j->replica, arm_other(j->config.owner), true);
	else if (one->step == JOB_KEYS && !j->out)
		jobs_end(j);
}

/* What one of them reads is all that the other one would. */
static bool jobs_are_same(const struct job *one, const struct job *other)
{
	return (one->kind == EFFECT_SCAN || one->kind == EFFECT_WALK) && one->kind == other->kind &&
	       !one->task && !other->task && one->uncertain == other->uncertain &&
	       !strcmp(one->indices, other->indices);
}

/* The first that is due, and what it does along: clients that hide ids would each ask for a scan.
 */
static void jobs_take(struct jobs *j)
{
	uint64_t now_ms = jobs_now_ms(j);
	list_each_safe(at, &j->waiting) {
		struct job *one = list_entry(at, struct job, link);
		if (one->due_ms > now_ms || (j->job && !jobs_are_same(j->job, one)))
			continue;
		list_remove(&one->link);
		if (j->job)
			list_add_tail(&j->along, &one->link);
		else
			j->job = one;
	}
}

void jobs_turn(struct jobs *j, uint64_t time_ns)
{
	j->time_ns = time_ns;
	if (j->stopped || jobs_now_ms(j) < j->not_before_ms)
		return;
	jobs_look_at_deletions(j);
	id_pages_go_on(j->owner);
	id_pages_go_on(j->replica);
	if (!j->job)
		jobs_take(j);
	if (j->job)
		jobs_step(j);
}

uint64_t jobs_due_ms(const struct jobs *j)
{
	if (j->stopped || !j->counts.waiting)
		return UINT64_MAX;
	/* Copies that end wake the loop in any case; for the rest it looks now and then. */
	uint64_t soon = jobs_now_ms(j) + JOBS_LOOK_MS;
	return soon > j->not_before_ms ? soon : j->not_before_ms;
}

/* --- a life --- */

struct jobs *jobs_open(const struct jobs_config *c)
{
	struct jobs *j = calloc(1, sizeof *j);
	must(j);
	j->config = *c;
	list_init(&j->waiting);
	list_init(&j->along);
	list_init(&j->deletions);
	j->owner = id_pages_make(c->subrequests);
	j->replica = id_pages_make(c->subrequests);
	ask_open(&j->ask, c->subrequests, j);
	ask_open(&j->job_ask, c->subrequests, j);
	return j;
}

void jobs_set_response_ms(struct jobs *j, uint32_t response_ms)
{
	j->response_ms = response_ms;
}

void jobs_stop(struct jobs *j)
{
	j->stopped = true;
	id_pages_stop(j->owner);
	id_pages_stop(j->replica);
	ask_stop(&j->ask);
	ask_stop(&j->job_ask);
}

bool jobs_are_quiet(const struct jobs *j)
{
	return ask_is_idle(&j->ask) && ask_is_idle(&j->job_ask) && id_pages_are_idle(j->owner) &&
	       id_pages_are_idle(j->replica);
}

void jobs_close(struct jobs *j)
{
	if (j->job)
		job_free(j->job);
	for (struct list *at; (at = list_take_first(&j->along));)
		job_free(list_entry(at, struct job, link));
	for (struct list *at; (at = list_take_first(&j->waiting));)
		job_free(list_entry(at, struct job, link));
	for (struct list *at; (at = list_take_first(&j->deletions));) {
		struct deletion *d = list_entry(at, struct deletion, link);
		free(d->indices);
		free(d);
	}
	json_decref(j->names);
	json_decref(j->kept);
	id_pages_free(j->owner);
	id_pages_free(j->replica);
	ask_close(&j->ask);
	ask_close(&j->job_ask);
	free(j);
}

json_t *jobs_places(const struct jobs *j)
{
	return id_pages_places(j->owner);
}

void jobs_set_places(struct jobs *j, const json_t *places)
{
	id_pages_set_places(j->owner, places);
}

uint64_t jobs_oldest_ns(const struct jobs *j)
{
	uint64_t oldest = j->job ? j->job->wall_ns : UINT64_MAX;
	list_each(at, &j->along)
		oldest = least(oldest, list_entry(at, struct job, link)->wall_ns);
	list_each(at, &j->waiting)
		oldest = least(oldest, list_entry(at, struct job, link)->wall_ns);
	list_each(at, &j->deletions)
		oldest = least(oldest, list_entry(at, struct deletion, link)->wall_ns);
	return oldest;
}

const struct jobs_counts *jobs_counts(const struct jobs *j)
{
	return &j->counts;
}

const char *jobs_trouble(const struct jobs *j)
{
	return j->trouble;
}
