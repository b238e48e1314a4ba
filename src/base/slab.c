#include "base/slab.h"

#include <stdlib.h>

#include "base/bug.h"

/* CMake defines it for clang too, which has only __has_feature. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define poison(at, n) ASAN_POISON_MEMORY_REGION(at, n)
#define unpoison(at, n) ASAN_UNPOISON_MEMORY_REGION(at, n)
#else
#define poison(at, n) ((void)(at), (void)(n))
#define unpoison(at, n) ((void)(at), (void)(n))
#endif

struct slab_object {
	struct slab_object *next;
};

struct slab_run {
	struct slab_run *next;
	void *unused; /* keeps the objects behind it aligned to 16 bytes */
};

void slab_open(struct slab *s, size_t object_bytes, size_t run_objects)
{
	must(object_bytes >= sizeof(struct slab_object) && run_objects > 0);
	*s = (struct slab){ .object_bytes = (object_bytes + 15) & ~(size_t)15,
			    .run_objects = run_objects };
}

void slab_close(struct slab *s)
{
	must(s->taken == 0);
	while (s->runs) {
		struct slab_run *run = s->runs;
		s->runs = run->next;
		unpoison(run + 1, s->object_bytes * s->run_objects);
		free(run);
	}
	s->idle = NULL;
}

static void make_idle(struct slab *s, struct slab_object *o)
{
	o->next = s->idle;
	s->idle = o;
	poison(o, s->object_bytes);
}

static void add_run(struct slab *s)
{
	struct slab_run *run = malloc(sizeof *run + s->object_bytes * s->run_objects);
	must(run);
	run->next = s->runs;
	s->runs = run;
	char *first = (char *)(run + 1);
	for (size_t i = s->run_objects; i-- > 0;)
		make_idle(s, (struct slab_object *)(first + i * s->object_bytes));
}

void *slab_take(struct slab *s)
{
	if (!s->idle)
		add_run(s);
	struct slab_object *o = s->idle;
	must(o);
	unpoison(o, s->object_bytes);
	s->idle = o->next;
	s->taken++;
	return o;
}

void slab_give(struct slab *s, void *object)
{
	must(object && s->taken > 0);
	s->taken--;
	make_idle(s, object);
}
