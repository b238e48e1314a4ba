#include "proxy/pressure.h"

#include "base/log.h"

#define MIB(bytes) ((unsigned long long)(bytes) >> 20)

static void pressure_log(struct pressure *p, const struct budget *b, unsigned worker,
			 const char *whose, uint64_t now_ns)
{
	if (now_ns < p->quiet_until_ns)
		return;
	p->quiet_until_ns = now_ns + MEMORY_LOG_MS * 1000000ull;
	log_line(LOG_WARN,
		 "worker %u: memory: data from %s that is not passed on yet takes %llu MiB of "
		 "%llu: %u connections wait until their receivers take more; all others are served",
		 worker, whose, MIB(b->used), MIB(b->max), b->waiting_n);
}

void pressure_look(struct pressure *p, const struct budget *b, unsigned worker, const char *whose,
		   uint64_t now_ns)
{
	counter_set(&p->bytes, b->used);
	counter_set(&p->waiting, b->waiting_n);
	counter_set(&p->waits, b->waits);
	if (b->waiting_n && !budget_has_room(b))
		pressure_log(p, b, worker, whose, now_ns);
}
