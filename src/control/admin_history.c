#include "control/admin_history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "control/admin_call.h"
#include "control/history.h"

struct asked_history {
	struct history_asker asker;
	struct call *call;
};

static void history_refuse(struct call *c, int error)
{
	char text[WEIGHTS_TEXT_BYTES];
	if (error == ETIMEDOUT) {
		admin_refuse(c, 503, "disk_late",
			     "audit.jsonl was not read: the state directory does not answer");
		return;
	}
	snprintf(text, sizeof text, "audit.jsonl cannot be read: %s", strerror(error));
	admin_refuse(c, 500, "audit_unreadable", text);
}

static void history_told(struct history_asker *a, const json_t *list, int error)
{
	struct asked_history *h = list_entry(a, struct asked_history, asker);
	struct call *c = h->call;
	free(h);
	admin_is_over(c);
	if (list)
		admin_respond(c, 200, json_pack("{s:O}", "changes", list));
	else
		history_refuse(c, error);
}

static void history_forget(void *asked)
{
	struct asked_history *h = asked;
	history_drop(&h->asker);
}

void admin_serve_history(struct call *c)
{
	struct asked_history *h = malloc(sizeof *h);
	must(h);
	*h = (struct asked_history){ .asker.told = history_told, .call = c };
	admin_wait(c, h, history_forget);
	history_ask(&admin_leader(c)->history, &h->asker);
}
