#ifndef APP_DEMO_STORE_H
#define APP_DEMO_STORE_H

/* The documents of a sample cluster: indices of JSON documents by id, in memory. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct demo_store {
	json_t *indices;   /* owned: name -> { id -> { "_source": ..., "_version": N } } */
	uint64_t sequence; /* counts changes */
	uint64_t next_id;
};

void demo_store_open(struct demo_store *s);
void demo_store_close(struct demo_store *s);

/* Borrowed; NULL when there is none. */
json_t *demo_index(const struct demo_store *s, const char *name);
/* False when it is there already. */
bool demo_index_create(struct demo_store *s, const char *name);
bool demo_index_delete(struct demo_store *s, const char *name);

/* {"_source":...,"_version":N}, borrowed; NULL when there is none. */
json_t *demo_document(const struct demo_store *s, const char *index, const char *id);

struct demo_result {
	const char *what; /* "created", "updated", "deleted", "not_found" */
	json_int_t version;
	uint64_t sequence;
};

/* Puts a document, making its index when need be. `source` is moved in. */
struct demo_result demo_put(struct demo_store *s, const char *index, const char *id,
			    json_t *source);
struct demo_result demo_delete(struct demo_store *s, const char *index, const char *id);
/* A new id; `text` has room for 32 bytes. */
void demo_new_id(struct demo_store *s, char text[32]);

#endif
