#include <string.h>

#include "replay/effects_private.h"

bool effects_status_is_harmless(unsigned status)
{
	switch (status) {
	case 400:
	case 401:
	case 403:
	case 405:
	case 406:
	case 411:
	case 413:
	case 415:
	case 431:
		return true;
	default:
		return false;
	}
}

bool effects_status_is_uncertain(unsigned status)
{
	return status == 408 || status >= 500;
}

/* What <logs-{now/d}> was only its cluster knows, and only on that day. */
static bool effects_has_date_math(struct span index)
{
	return index.n && memchr(index.at, '<', index.n);
}

/* A fence that falls on another index would be worse than none. */
static void effects_tell_date_math(struct effects *e, struct effect effect)
{
	effect.kind = EFFECT_SURROUNDINGS;
	effect.index = (struct span){ NULL, 0 };
	effect.is_stream = false;
	e->told_to(e->user, &effect);
	effects_tell_unknown(e, SPAN("date math"));
}

void effects_tell(struct effects *e, struct effect effect)
{
	bool dated = effect.kind != EFFECT_KEY && effects_has_date_math(effect.index);
	if (dated && effect.kind == EFFECT_FENCE) {
		effects_tell_date_math(e, effect);
		return;
	}
	if (dated)
		effect.index =
			effect.kind == EFFECT_SURROUNDINGS ? (struct span){ NULL, 0 } : SPAN("*");
	e->told_to(e->user, &effect);
}

void effects_tell_index(struct effects *e, enum effect_kind kind, struct span index)
{
	effects_tell(e, (struct effect){ .kind = kind,
					 .index = index,
					 .is_task = e->is_task,
					 .task = told_task(&e->told),
					 .uncertain = e->verdict == VERDICT_UNCERTAIN });
}

void effects_tell_walk(struct effects *e, struct span index, struct span name)
{
	effects_tell(e, (struct effect){ .kind = EFFECT_WALK,
					 .index = index.n ? index : SPAN("*"),
					 .name = name,
					 .is_task = e->is_task,
					 .task = told_task(&e->told),
					 .uncertain = e->verdict == VERDICT_UNCERTAIN });
}

void effects_tell_unknown(struct effects *e, struct span name)
{
	effects_tell(e, (struct effect){ .kind = EFFECT_UNKNOWN,
					 .name = name,
					 .uncertain = e->verdict == VERDICT_UNCERTAIN });
}

/* --- documents --- */

/* A bulk without ids would tell the same scan a thousand times. */
static void effects_tell_scan(struct effects *e, struct effect effect)
{
	effect.kind = EFFECT_SCAN;
	if (e->scanned.n && span_is(e->scanned, effect.index) &&
	    e->scanned_uncertain == effect.uncertain)
		return;
	e->scanned = (struct span){ e->scanned_name, effect.index.n };
	e->scanned_uncertain = effect.uncertain;
	memcpy(e->scanned_name, effect.index.at, effect.index.n);
	effects_tell(e, (struct effect){ .kind = EFFECT_SCAN,
					 .index = effect.index,
					 .by_request = effect.by_request,
					 .uncertain = effect.uncertain });
}

void effects_tell_document(struct effects *e, const struct effects_named *named,
			   const struct told *told, bool uncertain)
{
	struct effect effect = { .kind = EFFECT_KEY,
				 .index = told ? told_index(told) : (struct span){ NULL, 0 },
				 .id = told ? told_id(told) : (struct span){ NULL, 0 },
				 .type = told ? told_type(told) : (struct span){ NULL, 0 },
				 .routing = named->routing,
				 .external_version = named->external_version,
				 .uncertain = uncertain };
	effect.by_request = !effect.index.n;
	effect.index = effect.by_request ? named->index : effect.index;
	effect.id = effect.id.n ? effect.id : named->id;
	effect.type = effect.type.n ? effect.type : named->type;
	if (!effect.index.n) {
		effects_tell_unknown(e, SPAN("no index"));
	} else if (effect.by_request && named->odd_index) {
		effects_tell_unknown(e, SPAN("odd name"));
	} else if (effect.by_request && effects_has_date_math(effect.index)) {
		effects_tell_date_math(e, (struct effect){ .uncertain = uncertain });
	} else if (effect.index.n > INDEX_NAME_BYTES_MAX || effect.id.n > DOCUMENT_ID_BYTES) {
		effects_tell_unknown(e, SPAN("long name"));
	} else if (named->odd_routing || (named->odd_name && !(told && told_id(told).n))) {
		/* A scan finds what was written, by the name that its cluster has for it. */
		effects_tell_unknown(e, SPAN("odd name"));
		effects_tell_scan(e, effect);
	} else if (!effect.id.n) {
		effects_tell_scan(e, effect);
	} else {
		effects_tell(e, effect);
	}
}
