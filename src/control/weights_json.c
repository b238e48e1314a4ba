#include "control/weights_json.h"

#include "base/limits.h"
#include "control/admin_body.h"

static bool take_weights(json_int_t source, json_int_t target, struct weights_change *c,
			 char error[WEIGHTS_TEXT_BYTES])
{
	if (source < 0 || source > WEIGHT_MAX || target < 0 || target > WEIGHT_MAX) {
		snprintf(error, WEIGHTS_TEXT_BYTES, "weights must be whole numbers from 0 to %d",
			 WEIGHT_MAX);
		return false;
	}
	c->weights[ARM_SOURCE] = (uint32_t)source;
	c->weights[ARM_TARGET] = (uint32_t)target;
	return true;
}

bool weights_json_read(struct span body, struct weights_change *c, char error[WEIGHTS_TEXT_BYTES])
{
	json_error_t why;
	json_int_t source, target;
	const char *reason = NULL, *who = NULL;
	int force = 0;
	json_t *j = admin_body_parse(body, error);
	if (!j)
		return false;
	bool good = json_unpack_ex(j, &why, 0, "{s:{s:I,s:I!},s?s,s?s,s?b!}", "weights", "source",
				   &source, "target", &target, "reason", &reason, "who", &who,
				   "force", &force) == 0;
	c->force = force;
	if (!good)
		admin_body_say_why(&why, error);
	good = good && take_weights(source, target, c, error) &&
	       admin_body_take_text("reason", reason, c->why, error) &&
	       admin_body_take_text("who", who, c->who, error);
	json_decref(j);
	return good;
}

bool weights_json_read_rollback(struct span body, struct weights_change *c,
				char error[WEIGHTS_TEXT_BYTES])
{
	json_error_t why;
	const char *reason = NULL, *who = NULL;
	if (!body.n) {
		c->why[0] = c->who[0] = 0;
		return true;
	}
	json_t *j = admin_body_parse(body, error);
	if (!j)
		return false;
	bool good = json_unpack_ex(j, &why, 0, "{s?s,s?s!}", "reason", &reason, "who", &who) == 0;
	if (!good)
		admin_body_say_why(&why, error);
	good = good && admin_body_take_text("reason", reason, c->why, error) &&
	       admin_body_take_text("who", who, c->who, error);
	json_decref(j);
	return good;
}

static json_t *pair_json(const uint32_t weights[ARMS])
{
	return json_pack("{s:i,s:i}", "source", (int)weights[ARM_SOURCE], "target",
			 (int)weights[ARM_TARGET]);
}

json_t *weights_json(const uint32_t weights[ARMS], uint64_t epoch, bool saved)
{
	return json_pack("{s:o,s:I,s:b}", "weights", pair_json(weights), "epoch", (json_int_t)epoch,
			 "saved", saved);
}

static json_t *late_json(const struct weights_change *c)
{
	json_t *late = json_array();
	for (unsigned i = 0; i < c->late_n && i < WEIGHTS_LATE_NAMED; i++)
		json_array_append_new(late, json_pack("{s:i,s:i}", "worker", (int)c->late[i].worker,
						      "pid", (int)c->late[i].pid));
	return late;
}

json_t *weights_json_change(const struct weights_change *c)
{
	json_t *j = weights_json(c->to.weights, c->to.epoch, c->error == 0);
	json_object_set_new(j, "acknowledged", json_boolean(c->verdict == WEIGHTS_ACKNOWLEDGED));
	json_object_set_new(j, "audited", json_boolean(!c->untold));
	json_object_set_new(j, "in_flight_before", json_integer((json_int_t)c->in_flight_before));
	json_object_set_new(j, "late", late_json(c));
	json_object_set_new(j, "before", pair_json(c->from.weights));
	return j;
}
