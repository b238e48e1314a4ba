#include "replay/refusal.h"

#include <string.h>

struct refusal {
	const char *type;   /* "": any */
	const char *reason; /* a part of it; "": any */
	const char *meaning;
};

/* The first one counts. */
static const struct refusal refusals[] = {
	{ "cluster_block_exception", "flood-stage",
	  "its disk is full (flood stage): make room there; the block goes by itself, or by "
	  "setting "
	  "index.blocks.read_only_allow_delete to null" },
	{ "cluster_block_exception", "read-only / allow delete",
	  "its disk is full (flood stage): make room there; the block goes by itself, or by "
	  "setting "
	  "index.blocks.read_only_allow_delete to null" },
	{ "cluster_block_exception", "no master", "it has no elected manager node" },
	{ "cluster_block_exception", "state not recovered", "it has not recovered its state yet" },
	{ "cluster_block_exception", "",
	  "the index has a block there: set index.blocks.read_only and index.blocks.write to "
	  "null" },
	{ "index_closed_exception", "", "the index is closed there: open it" },
	{ "", "analyzer", "it lacks an analyzer, or a plugin or file that one needs" },
	{ "", "tokenizer", "it lacks an analyzer, or a plugin or file that one needs" },
	{ "", "char_filter", "it lacks an analyzer, or a plugin or file that one needs" },
	{ "", "cannot be changed from type",
	  "its index has another mapping: delete the index there and copy all of it again" },
	{ "", "of different type",
	  "its index has another mapping: delete the index there and copy all of it again" },
	{ "", "Cannot update parameter",
	  "its index has another mapping: delete the index there and copy all of it again" },
	{ "", "No handler for type", "it does not know a type of the mapping's fields" },
	{ "", "unknown setting", "it does not know a setting of the owner's index" },
	{ "", "maximum shards open",
	  "it has as many shards as cluster.max_shards_per_node allows: raise that" },
	{ "", "Limit of total fields", "index.mapping.total_fields.limit is reached there" },
};

static bool refusal_has(struct span text, const char *part)
{
	return !*part || (text.n && memmem(text.at, text.n, part, strlen(part)));
}

const char *refusal_meaning(enum arm arm, unsigned status, struct span type, struct span reason)
{
	bool security = !type.n || refusal_has(type, "security");
	if (status == 401 || (status == 403 && security))
		return arm == ARM_SOURCE ? "it does not let replay in, or do this: see "
					   "replay.credentials.source in the configuration"
					 : "it does not let replay in, or do this: see "
					   "replay.credentials.target in the configuration";
	if (status < 400)
		return NULL;
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *r = &refusals[i];
		if ((!*r->type || span_is(type, span_of(r->type))) &&
		    refusal_has(reason, r->reason))
			return r->meaning;
	}
	return NULL;
}
