#ifndef SAMPLE_SCRIPT_H
#define SAMPLE_SCRIPT_H

/*
 * The few statements of Painless that sample clusters know, each ended by ';' or the end:
 *
 *   ctx._source.NAME = VALUE      VALUE: a number, 'text', params.NAME
 *   ctx._source.NAME += VALUE     also -=; of integers
 *   ctx.op = 'none'               'noop', 'delete', 'index'
 */

#include <jansson.h>

#include "sample/trouble.h"

enum sample_script_end { SAMPLE_SCRIPT_INDEX, SAMPLE_SCRIPT_NONE, SAMPLE_SCRIPT_DELETE };

/* `script`: {"source":...,"params":{...}}, or a text. It changes `source`. False after a trouble.
 */
bool sample_script_run(const json_t *script, json_t *source, enum sample_script_end *end,
		       struct sample_trouble *t);

#endif
