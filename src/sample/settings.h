#ifndef SAMPLE_SETTINGS_H
#define SAMPLE_SETTINGS_H

/*
 * Settings of an index, kept flat and as texts: {"number_of_replicas":"1"}. "index." in front may
 * be there or not, and they may be nested, as OpenSearch takes them.
 */

#include "sample/index.h"
#include "sample/trouble.h"

/*
 * Of settings that somebody gives: those that the cluster makes are refused, and, for an index that
 * is there already, those that are fixed with it. False after a trouble.
 */
bool sample_settings_are_good(const json_t *given, bool there, struct sample_trouble *t);
/* Whether something has changed. A null takes a setting away. */
bool sample_settings_merge(json_t *into, const json_t *given);
/* {"index":{...}} with all that is made here; owned by the caller. */
json_t *sample_settings_json(const struct sample_index *x);
/* While it has no documents: it gets as many shards as its settings say. */
void sample_settings_divide(struct sample_index *x);
/* refresh_interval -1: only who asks for it refreshes. */
bool sample_settings_refresh_by_themselves(const struct sample_index *x);

#endif
