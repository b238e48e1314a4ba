#include "proxy/plan.h"

#include "base/bug.h"

const char *arm_name(enum arm a)
{
	static const char *const names[] = { "source", "target" };
	must(a < ARMS);
	return names[a];
}
