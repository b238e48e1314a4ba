#ifndef SAMPLE_WRITE_H
#define SAMPLE_WRITE_H

/* One operation on one document: of a request for itself, of a bulk, of a query. */

#include "sample/sample.h"

enum sample_action { SAMPLE_INDEX, SAMPLE_CREATE, SAMPLE_UPDATE, SAMPLE_DELETE };
#define SAMPLE_ACTIONS 4
/* "index", "create", "update", "delete" */
const char *sample_action_name(enum sample_action a);

enum sample_versioning { SAMPLE_INTERNAL, SAMPLE_EXTERNAL, SAMPLE_EXTERNAL_GTE };

/* What must hold, or the operation is a conflict. */
struct sample_condition {
	bool by_seq_no;
	uint64_t seq_no, primary_term;
	enum sample_versioning versioning;
	uint64_t version; /* of an external versioning */
};

struct sample_operation {
	enum sample_action action;
	struct span index;   /* as it was named */
	struct span id;	     /* empty: one is made; of index and create only */
	struct span routing; /* at = NULL: none */
	struct span body;    /* the document, or what updates it; not of a deletion */
	struct sample_condition condition;
	bool requires_alias; /* what was named must be an alias; a deletion asks for no such thing
			      */
};

struct sample_result {
	struct sample_trouble trouble; /* .status 0: it was done */
	unsigned status;
	const char *what; /* "created", "updated", "deleted", "not_found", "noop" */
	char index[SAMPLE_NAME_BYTES + 1]; /* the concrete one; as it was named where there is none
					    */
	struct span id;			   /* borrowed of the operation, or in `made` */
	char made[SAMPLE_MADE_BYTES];
	uint64_t version, seq_no, primary_term;
};

/* "external", "external_gte", "internal". False: it is another word. */
bool sample_versioning_read(struct span word, enum sample_versioning *v);

void sample_apply(struct sample_call *c, const struct sample_operation *o, struct sample_result *r);

/*
 * The inner steps, for updates: a document that was read before, with its text. They do not look
 * at faults.
 */
void sample_apply_document(struct sample_call *c, struct sample_index *x,
			   const struct sample_operation *o, json_t *document /* borrowed */,
			   struct sample_result *r);
void sample_apply_delete(struct sample_call *c, struct sample_index *x,
			 const struct sample_operation *o, struct sample_result *r);
void sample_apply_update(struct sample_call *c, struct sample_index *x,
			 const struct sample_operation *o, struct sample_result *r);
/* What the operation's shard has of its document; NULL: nothing is known of it. */
const struct sample_version *sample_operation_finds(const struct sample_index *x,
						    const struct sample_operation *o);
/* The result says what the document is, and that nothing was done to it. */
void sample_result_is_noop(struct sample_result *r, const struct sample_version *v);

/* Then the trouble says so. */
bool sample_is_read_only(const struct sample *p, struct sample_trouble *t);

/* A JSON object of a document's text, owned; NULL after a trouble. */
json_t *sample_document_json(struct span text, struct sample_trouble *t);

/* The members of a response, or of an item of a bulk, without the braces. */
void sample_result_write(struct sample_text *to, const struct sample_result *r);

#endif
