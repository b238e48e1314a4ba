#include "control/leader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

/* --- opening --- */

/* The result of the read that is under way will be dropped. */
static void leader_drop_read(struct leader *l)
{
	if (l->reading.state == LEADER_READS)
		l->reading.state = LEADER_READS_IN_VAIN;
}

static bool open_drains(struct leader *l)
{
	struct workers *w = l->workers;
	struct config *config = w->config;
	struct audit *audit = &l->weights.ledger.audit;
	struct span drained;
	return (saved_files_find(config->kept, SAVED_DRAINED, &drained) &&
		drains_open_kept(&l->drains, &w->nodes, &w->publisher, audit, config->state,
				 drained)) ||
	       drains_open(&l->drains, &w->nodes, &w->publisher, audit, config->state);
}

bool leader_open(struct leader *l, struct workers *w, char error[WEIGHTS_TEXT_BYTES])
{
	*l = (struct leader){ .workers = w };
	l->weights.ledger.state.fd = l->weights.ledger.audit.fd = -1;
	writes_open(&l->writes, w->counters, w->n, w->started_wall_ns);
	if (open_drains(l))
		return true;
	snprintf(error, WEIGHTS_TEXT_BYTES,
		 "cannot read which nodes are drained: %.150s/drained.json: %s (correct the file, "
		 "or remove it)",
		 w->config->state, strerror(errno));
	return false;
}

static void leader_drains_changed(void *observer)
{
	leader_let_others_look(observer);
}

bool leader_attach(struct leader *l, struct loop *loop)
{
	if (!disk_jobs_open(&l->disk, loop->io))
		return false;
	l->loop = loop;
	change_lock_open(&l->changes, &loop->wheel);
	history_open(&l->history, l->workers->config->state, &l->disk, &loop->wheel);
	drains_attach(&l->drains, &loop->wheel, &l->disk, &l->changes);
	drains_hear(&l->drains, leader_drains_changed, l);
	compare_file_open(&l->compare, l->workers, &l->disk);
	return true;
}

void leader_turn(struct leader *l)
{
	disk_jobs_look(&l->disk);
	if (l->leads)
		compare_file_turn(&l->compare);
	if (!l->retires || !disk_jobs_are_over(&l->disk))
		return;
	l->retires = false;
	weights_yield(&l->weights);
}

bool leader_close(struct leader *l)
{
	if (!l->workers)
		return true;
	leader_drop_read(l);
	if (l->loop && !disk_jobs_close(&l->disk, DISK_LAST_MS)) {
		log_line(LOG_ERROR,
			 "the state directory does not answer: the last changes may not be saved");
		return false;
	}
	if (l->loop) {
		history_close(&l->history);
		compare_file_close(&l->compare);
	}
	drains_close(&l->drains);
	weights_close(&l->weights);
	return true;
}

/* --- leading --- */

void leader_let_others_look(struct leader *l)
{
	l->peers.look(l->peers.self);
}

static void weights_changed(void *observer, const struct state_values *from,
			    const struct state_values *to)
{
	struct leader *l = observer;
	workers_record_owner(l->workers);
	publisher_wake(&l->workers->publisher);
	leader_let_others_look(l);
	writes_follow(&l->writes, from, to);
}

/* --- what the state directory has --- */

/* After a crash the saved token is used, whatever the file has become. */
static bool leader_take_token(struct leader_reading *r)
{
	const struct config *config = r->config;
	const struct evidence *e = &r->evidence;
	struct span kept;
	bool made;
	if (saved_files_find(config->kept, SAVED_TOKEN, &kept) && kept.n == TOKEN_BYTES - 1) {
		memcpy(r->token, kept.at, TOKEN_BYTES);
		return true;
	}
	if (!token_take(config->state, r->token, &made))
		return false;
	if (made && (e->kept.epoch || e->witness))
		log_line(LOG_WARN,
			 "admin: %s/" TOKEN_FILE " was missing, and a new one was made: clients "
			 "with the old token are refused",
			 config->state);
	return true;
}

static bool leader_read_state(struct leader *l)
{
	struct leader_reading *r = &l->reading;
	const struct config *config = r->config;
	bool first = !board_read(l->workers->board).epoch;
	if (first)
		evidence_look(&r->evidence, config);
	else
		evidence_look_at_state(&r->evidence, config);
	if (!leader_take_token(r)) {
		snprintf(r->error, WEIGHTS_TEXT_BYTES,
			 "cannot read or make %.150s/" TOKEN_FILE ": %s", config->state,
			 strerror(errno));
		return false;
	}
	if (first)
		evidence_say(&r->evidence, config->state);
	return weights_read(&l->weights, config->state, config->weights.arms, &r->evidence,
			    &r->found, r->error);
}

/* On the disk's thread, or before anything is served. */
static void leader_work_read(struct disk_job *j)
{
	struct leader *l = list_entry(j, struct leader, reading.job);
	l->reading.good = leader_read_state(l);
}

/* Holds the configuration: a reload may replace it in the meantime. */
static void leader_begin_read(struct leader *l, const struct leader_peers *peers)
{
	l->peers = *peers;
	l->reading = (struct leader_reading){ .state = LEADER_READS,
					      .config = config_hold(l->workers->config) };
	weights_begin(&l->weights, l->workers->board);
}

/* --- leading --- */

static void leader_take_up(struct leader *l)
{
	struct workers *w = l->workers;
	const struct leader_reading *r = &l->reading;
	memcpy(l->token, r->token, sizeof l->token);
	memcpy(l->audit_trouble, r->evidence.audit, sizeof l->audit_trouble);
	weights_take_up(&l->weights, &r->found);
	l->leads = true;
	recorder_lead(&w->recorder);
	/*
	 * After a crash the drains are known already, and the file may be the malformed one: it is
	 * written again.
	 */
	if (w->config->kept)
		drains_renew(&l->drains);
	else
		drains_follow(&l->drains);
	w->to_be_kept = true;
	change_lock_begin(&l->changes);
	weights_attach(&l->weights, &l->loop->wheel, &l->disk, &l->changes, weights_changed, l);
	workers_wish_replay(l->workers, REPLAY_ON);
}

static void leader_end_read(struct leader *l)
{
	l->reading.state = LEADER_READS_NOT;
	config_close(l->reading.config);
}

bool leader_lead(struct leader *l, const struct leader_peers *peers, char error[WEIGHTS_TEXT_BYTES])
{
	leader_begin_read(l, peers);
	leader_work_read(&l->reading.job);
	leader_end_read(l);
	snprintf(error, WEIGHTS_TEXT_BYTES, "%s", l->reading.error);
	if (l->reading.good)
		leader_take_up(l);
	return l->reading.good;
}

/* A process that has to retire by now does not begin to lead. */
static void leader_have_read(struct disk_job *j)
{
	struct leader *l = list_entry(j, struct leader, reading.job);
	bool given_up = l->reading.state == LEADER_READS_IN_VAIN;
	leader_end_read(l);
	if (given_up) {
		weights_close(&l->weights);
		return;
	}
	if (l->reading.good)
		leader_take_up(l);
	l->peers.led(l->peers.self, l->reading.good ? NULL : l->reading.error);
}

void leader_lead_soon(struct leader *l, const struct leader_peers *peers)
{
	leader_begin_read(l, peers);
	l->reading.job = (struct disk_job){ .work = leader_work_read, .done = leader_have_read };
	disk_jobs_put(&l->disk, &l->reading.job);
}

void leader_retire(struct leader *l)
{
	leader_drop_read(l);
	if (!l->leads)
		return;
	l->leads = false;
	l->retires = true;
	workers_wish_replay(l->workers, REPLAY_OFF);
	recorder_retire(&l->workers->recorder);
	change_lock_hand_over(&l->changes);
	drains_yield(&l->drains);
	tracer_end(&l->workers->tracer);
}

/* --- following --- */

void leader_look(struct leader *l)
{
	workers_record_owner(l->workers);
	publisher_wake(&l->workers->publisher);
	if (!l->leads)
		drains_follow(&l->drains);
}

void leader_follow(struct leader *l)
{
	drains_renew(&l->drains);
}

/* On the disk's thread. */
static void leader_work_reopen(struct disk_job *j)
{
	struct leader *l = list_entry(j, struct leader, reopen);
	if (!audit_reopen(&l->weights.ledger.audit, l->reopens->state))
		log_line(LOG_ERROR, "audit.jsonl cannot be reopened: %s", strerror(errno));
}

static void leader_reopened(struct disk_job *j)
{
	struct leader *l = list_entry(j, struct leader, reopen);
	config_close(l->reopens);
	l->reopens = NULL;
}

void leader_reopen_log(struct leader *l)
{
	if (!l->leads || l->reopens)
		return;
	/* Holds the configuration: a reload may replace it in the meantime. */
	l->reopens = config_hold(l->workers->config);
	l->reopen = (struct disk_job){ .work = leader_work_reopen, .done = leader_reopened };
	disk_jobs_put(&l->disk, &l->reopen);
}

void leader_upgrade_failed(struct leader *l, const char *why)
{
	struct leader_upgrades *u = &l->upgrades;
	u->failed_n++;
	u->wall_ns = clock_wall_ns();
	snprintf(u->why, sizeof u->why, "%s", why);
}
