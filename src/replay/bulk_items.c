#include "replay/bulk_items.h"

/* Brackets around what is read: of the response, its list, an item, what was done. */
enum { DEPTH_RESPONSE = 1, DEPTH_LIST, DEPTH_ITEM, DEPTH_ACTION };

void bulk_items_open(struct bulk_items *items)
{
	json_open(&items->j, JSON_MANY_VALUES);
	items->is_list = items->in_list = items->has_action = false;
}

static void bulk_items_take_outside(struct bulk_items *items, enum json_token token)
{
	const struct json_scan *j = &items->j;
	if (token == TOKEN_KEY && j->depth == DEPTH_RESPONSE)
		items->is_list = json_is(j, SPAN("items"));
	else if (token == TOKEN_ARRAY && j->depth == DEPTH_LIST)
		items->in_list = items->is_list;
}

/* True: an item is whole. One that has no action is one too, and nobody's. */
static bool bulk_items_take_inside(struct bulk_items *items, enum json_token token)
{
	const struct json_scan *j = &items->j;
	if (j->depth >= DEPTH_ACTION) {
		told_take(&items->told, j, token, DEPTH_ACTION);
		return false;
	}
	if (token == TOKEN_KEY) {
		items->action = bulk_action_of(j);
		told_open(&items->told);
	} else if (token == TOKEN_OBJECT_END && j->depth == DEPTH_ITEM) {
		items->has_action = true;
		return true;
	} else if (token == TOKEN_OBJECT_END && j->depth == DEPTH_LIST) {
		bool nobodys = !items->has_action;
		items->action = BULK_NO_ACTION;
		items->has_action = false;
		return nobodys;
	} else if (token == TOKEN_ARRAY_END && j->depth == DEPTH_RESPONSE) {
		items->in_list = items->is_list = false;
	}
	return false;
}

enum items_step bulk_items_next(struct bulk_items *items)
{
	enum json_token token;
	while ((token = json_next(&items->j)) > TOKEN_BAD) {
		if (!items->in_list)
			bulk_items_take_outside(items, token);
		else if (bulk_items_take_inside(items, token))
			return ITEMS_ITEM;
	}
	return token == TOKEN_MORE ? ITEMS_MORE : token == TOKEN_END ? ITEMS_END : ITEMS_BROKEN;
}
