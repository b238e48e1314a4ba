#include "http/msg.h"

struct span status_reason(unsigned status)
{
	switch (status) {
#define STATUS(code, reason)                                                                       \
	case code:                                                                                 \
		return SPAN(reason);
#include "http/status.def"
#undef STATUS
	default:
		return (struct span){ NULL, 0 };
	}
}
