#ifndef REPLAY_BULK_ITEMS_H
#define REPLAY_BULK_ITEMS_H

/*
 * The items of a bulk's response, one by one, in their order: {"items":[{"index":{...}},...]}. Of a
 * stream of bulks the responses follow each other.
 */

#include "replay/bulk_line.h"
#include "replay/json_scan.h"
#include "replay/told.h"

enum items_step {
	ITEMS_MORE, /* the next piece must be put */
	ITEMS_ITEM, /* `action` and `told` */
	ITEMS_END,
	ITEMS_BROKEN, /* it is no JSON, or is cut: json_fault() of `j` says it */
};

struct bulk_items {
	struct json_scan j; /* pieces are put to it */
	bool is_list;	    /* the member of the response that is being read is `items` */
	bool in_list;
	bool has_action; /* the item that is being read has */
	enum bulk_action action;
	struct told told;
};

void bulk_items_open(struct bulk_items *items);
enum items_step bulk_items_next(struct bulk_items *items);

#endif
