#include "unit/control/kit.h"

#include <errno.h>

#include "control/audit.h"
#include "control/drains_file.h"
#include "control/nodes.h"
#include "control/state.h"
#include "control/token.h"
#include "unit/control/power.h"

/* Cuts that are tried at each step, of those that leave any part. */
#define SEEDS 12
#define TIMES 5

/* One directory that is written to, and a row of what was promised when. */
struct world {
	char directory[64];
	unsigned begun[TIMES + 1], promised[TIMES + 1]; /* steps, of what is numbered from 1 */
};

static void world_open(struct world *w)
{
	*w = (struct world){ 0 };
	kit_directory(w->directory);
	power_watch(w->directory);
	for (int i = 0; i <= TIMES; i++)
		w->begun[i] = w->promised[i] = UINT32_MAX;
}

static void world_close(struct world *w)
{
	power_watch(NULL);
	kit_remove(w->directory);
}

/* The last that was begun, or promised, when `step` steps were done; 0: none was. */
static unsigned last_by(const unsigned at[TIMES + 1], unsigned step)
{
	unsigned last = 0;
	for (unsigned i = 1; i <= TIMES; i++)
		if (at[i] <= step)
			last = i;
	return last;
}

/* `look` judges each directory that a cut may leave: so much was promised there, so much begun. */
static void cut_everywhere(const struct world *w,
			   void (*look)(const char *left, unsigned promised, unsigned begun))
{
	unsigned steps = power_steps();
	assert_true(steps > 0);
	for (unsigned step = 0; step <= steps; step++)
		for (unsigned luck = 0; luck < LUCKS; luck++)
			for (uint64_t seed = 0; seed < (luck == LUCK_SOME ? SEEDS : 1); seed++) {
				char left[64];
				kit_directory(left);
				power_cut(step, (enum power_luck)luck, seed * 7919 + step, left);
				look(left, last_by(w->promised, step), last_by(w->begun, step));
				kit_remove(left);
			}
}

/* --- the weights --- */

static void look_at_weights(const char *left, unsigned promised, unsigned begun)
{
	struct state s;
	struct state_values kept;
	enum state_trouble trouble;
	assert_true(state_open(&s, left, &kept, &trouble));
	state_close(&s);
	assert_in_range(kept.epoch, promised, begun);
	if (kept.epoch) {
		assert_int_equal(kept.weights[ARM_TARGET], 10 * kept.epoch);
		assert_int_equal(kept.owner, kept.epoch % ARMS);
	}
	assert_true(!promised || trouble == STATE_FINE);
}

static void weights_that_were_saved_outlast_the_power(void **state)
{
	(void)state;
	struct world w;
	struct state s;
	struct state_values kept;
	enum state_trouble trouble;
	world_open(&w);
	assert_true(state_open(&s, w.directory, &kept, &trouble));
	for (unsigned i = 1; i <= TIMES; i++) {
		struct state_values v = { .epoch = i,
					  .weights = { 1, 10 * i },
					  .owner = (enum arm)(i % ARMS) };
		w.begun[i] = power_steps();
		assert_true(state_save_noted(&s, &v, &(struct state_note){ .epoch = i }));
		w.promised[i] = power_steps();
	}
	state_close(&s);
	cut_everywhere(&w, look_at_weights);
	world_close(&w);
}

/* --- drained nodes --- */

#define NODES "http://a:1, http://b:1, http://c:1, http://d:1, http://e:1"

static struct config *nodes_config(void)
{
	return kit_config("listeners: { weighted: { address: 127.0.0.1:1, tls: off } }\n"
			  "source: { nodes: [ " NODES " ] }\n"
			  "target: { nodes: [ http://f:1 ] }\nstate: s\n");
}

static void look_at_drains(const char *left, unsigned promised, unsigned begun)
{
	struct config *c = nodes_config();
	struct nodes nodes;
	bool listed[NODES_MAX];
	unsigned n = 0;
	nodes_open(&nodes, c);
	assert_true(drains_file_load(left, &nodes, DUTY_DRAINED, listed));
	for (size_t i = 0; i < nodes.n; i++)
		n += node_duty(nodes.list[i]) != DUTY_READY;
	assert_in_range(n, promised, begun);
	nodes_close(&nodes);
	config_close(c);
}

static void drains_that_were_saved_outlast_the_power(void **state)
{
	(void)state;
	struct config *c = nodes_config();
	struct nodes nodes;
	struct world w;
	world_open(&w);
	nodes_open(&nodes, c);
	for (unsigned i = 1; i <= TIMES; i++) {
		node_drain(nodes.list[i - 1], DUTY_DRAINED, i, "ann", "CHG-1");
		w.begun[i] = power_steps();
		char *text = drains_file_text(&nodes);
		assert_true(drains_file_write(w.directory, text));
		free(text);
		w.promised[i] = power_steps();
	}
	nodes_close(&nodes);
	config_close(c);
	cut_everywhere(&w, look_at_drains);
	world_close(&w);
}

/* --- the token --- */

static char the_token[TOKEN_BYTES];

/* What nobody has been told of may be made anew; what is there is never half of one. */
static void look_at_token(const char *left, unsigned promised, unsigned begun)
{
	char token[TOKEN_BYTES];
	bool made;
	assert_true(token_take(left, token, &made));
	assert_true(made || begun);
	if (promised)
		assert_string_equal(token, the_token);
}

static void the_token_outlasts_the_power(void **state)
{
	(void)state;
	struct world w;
	bool made;
	world_open(&w);
	w.begun[1] = power_steps();
	assert_true(token_take(w.directory, the_token, &made));
	assert_true(made);
	w.promised[1] = power_steps();
	cut_everywhere(&w, look_at_token);
	world_close(&w);
}

/* --- the audit --- */

static void write_line(struct audit *a, unsigned number)
{
	struct audit_entry e = { .who = "ann", .why = "CHG-1", .saved = true };
	e.to.epoch = number;
	e.to.weights[ARM_SOURCE] = 1;
	assert_true(audit_append(a, &e));
}

/* Each line that was promised is there, whole; the last may be half of one that was not. */
static void look_at_audit(const char *left, unsigned promised, unsigned begun)
{
	(void)begun;
	char path[128];
	snprintf(path, sizeof path, "%s/" AUDIT_FILE, left);
	const char *text = access(path, F_OK) ? "" : kit_read(left, AUDIT_FILE);
	for (unsigned i = 1; i <= promised; i++) {
		char epoch[32];
		snprintf(epoch, sizeof epoch, "\"epoch\":%u,", i);
		const char *line = strchr(text, '\n');
		assert_non_null(line);
		const char *at = strstr(text, epoch);
		assert_true(at && at < line);
		text = line + 1;
	}
}

static void lines_of_the_audit_outlast_the_power(void **state)
{
	(void)state;
	struct world w;
	struct audit a;
	world_open(&w);
	assert_true(audit_open(&a, w.directory));
	for (unsigned i = 1; i <= TIMES; i++) {
		w.begun[i] = power_steps();
		write_line(&a, i);
		w.promised[i] = power_steps();
	}
	audit_close(&a);
	cut_everywhere(&w, look_at_audit);
	world_close(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_that_were_saved_outlast_the_power),
		cmocka_unit_test(drains_that_were_saved_outlast_the_power),
		cmocka_unit_test(the_token_outlasts_the_power),
		cmocka_unit_test(lines_of_the_audit_outlast_the_power),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
