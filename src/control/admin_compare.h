#ifndef CONTROL_ADMIN_COMPARE_H
#define CONTROL_ADMIN_COMPARE_H

/* The comparison of owner and replica: /v1/compare. */

#include "control/admin_call.h"

/* Progress, or the result of the last one. */
void admin_serve_compare(struct call *c);
/* {"what":"touched|sample|all","indices":[NAME],"n":N,"repair":BOOL} begins one. */
void admin_serve_compare_begin(struct call *c);
/* Ends the one that is under way. */
void admin_serve_compare_end(struct call *c);

#endif
