#include "base/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/bug.h"
#include "base/checks.h"
#include "base/limits.h"

/* CMake defines __SANITIZE_ADDRESS__ for clang too, which itself has only __has_feature. */
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

/* The header at the beginning of a run. The address of a run is a multiple of run_bytes. */
struct slab_run {
	struct list link; /* in slab->partial or slab->whole; unlinked while all objects are out */
	struct slab_object *home;
	uint32_t home_n;
	uint32_t touched; /* objects after this one were never out: their pages may not exist */
};

#define HEADER_BYTES ((sizeof(struct slab_run) + 15) & ~(size_t)15)

/* --- memory --- */

/* The leak checker finds pointers only in memory from malloc. */
#ifdef __SANITIZE_ADDRESS__
static void *run_map(size_t bytes)
{
	return aligned_alloc(bytes, bytes);
}

static void run_unmap(void *memory, size_t bytes)
{
	unpoison(memory, bytes);
	free(memory);
}
#else
/* Twice the size always contains an aligned run; the rest is unmapped at once. */
static void *run_map(size_t bytes)
{
	char *got =
		mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (got == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)got & (bytes - 1);
	if (before)
		munmap(got, before);
	munmap(got + before + bytes, bytes - before);
	return got + before;
}

static void run_unmap(void *memory, size_t bytes)
{
	munmap(memory, bytes);
}
#endif

/* --- runs --- */

void slab_open(struct slab *s, size_t object_bytes, size_t run_objects)
{
	must(object_bytes >= sizeof(struct slab_object) && run_objects > 0);
	*s = (struct slab){ .object_bytes = (object_bytes + 15) & ~(size_t)15,
			    .run_bytes = SLAB_RUN_BYTES };
	while (s->run_bytes < HEADER_BYTES + s->object_bytes * run_objects)
		s->run_bytes *= 2;
	s->run_objects = (s->run_bytes - HEADER_BYTES) / s->object_bytes;
	s->idle_max = SLAB_IDLE_BYTES / s->object_bytes;
	if (s->idle_max > SLAB_IDLE_MAX)
		s->idle_max = SLAB_IDLE_MAX;
	list_init(&s->partial);
	list_init(&s->whole);
}

static struct slab_run *run_new(struct slab *s)
{
	struct slab_run *run = run_map(s->run_bytes);
	must(run);
	*run = (struct slab_run){ .home_n = (uint32_t)s->run_objects };
	list_init(&run->link);
	poison((char *)run + HEADER_BYTES, s->run_bytes - HEADER_BYTES);
	return run;
}

static void *slab_take_from_run(struct slab *s)
{
	struct slab_run *run;
	if (!list_empty(&s->partial))
		run = list_entry(s->partial.next, struct slab_run, link);
	else if (!list_empty(&s->whole))
		run = list_entry(s->whole.next, struct slab_run, link);
	else
		run = run_new(s);
	struct slab_object *o = run->home;
	if (!o)
		o = (void *)((char *)run + HEADER_BYTES + run->touched++ * s->object_bytes);
	unpoison(o, s->object_bytes);
	if (run->home)
		run->home = o->next;
	run->home_n--;
	list_remove(&run->link);
	if (run->home_n)
		list_add(&s->partial, &run->link);
	return o;
}

/* `o` is not poisoned yet. */
static void run_give(struct slab *s, struct slab_object *o)
{
	struct slab_run *run = (void *)((uintptr_t)o & ~(uintptr_t)(s->run_bytes - 1));
	o->next = run->home;
	run->home = o;
	poison(o, s->object_bytes);
	if (run->home_n++ && run->home_n < s->run_objects)
		return;
	list_remove(&run->link);
	list_add(run->home_n < s->run_objects ? &s->partial : &s->whole, &run->link);
}

/* --- objects --- */

void slab_check(const struct slab *s)
{
	must(!s->idle == !s->idle_n && s->idle_n <= s->idle_max);
	if (!list_empty(&s->whole))
		must(list_entry(s->whole.next, struct slab_run, link)->home_n == s->run_objects);
	if (list_empty(&s->partial))
		return;
	const struct slab_run *run = list_entry(s->partial.next, struct slab_run, link);
	must(run->home_n > 0 && run->home_n < s->run_objects && run->touched <= s->run_objects);
}

void *slab_take(struct slab *s)
{
	struct slab_object *o = s->idle;
	s->taken++;
	if (!o)
		return slab_take_from_run(s);
	unpoison(o, s->object_bytes);
	s->idle = o->next;
	s->idle_n--;
	checks(slab_check(s));
	return o;
}

void slab_give(struct slab *s, void *object)
{
	must(object && s->taken > 0);
	struct slab_object *o = object;
	s->taken--;
	if (s->idle_n == s->idle_max) {
		run_give(s, o);
		return;
	}
	o->next = s->idle;
	s->idle = o;
	s->idle_n++;
	poison(o, s->object_bytes);
	checks(slab_check(s));
}

static void slab_return_idle(struct slab *s)
{
	while (s->idle) {
		struct slab_object *o = s->idle;
		unpoison(o, s->object_bytes);
		s->idle = o->next;
		run_give(s, o);
	}
	s->idle_n = 0;
}

bool slab_trim(struct slab *s, size_t runs)
{
	slab_return_idle(s);
	checks(slab_check(s));
	while (s->whole.next != s->whole.prev) {
		if (runs-- == 0)
			return true;
		run_unmap(list_entry(list_take_first(&s->whole), struct slab_run, link),
			  s->run_bytes);
	}
	return false;
}

void slab_close(struct slab *s)
{
	must(s->taken == 0);
	slab_return_idle(s);
	must(list_empty(&s->partial));
	for (struct list *l; (l = list_take_first(&s->whole));)
		run_unmap(list_entry(l, struct slab_run, link), s->run_bytes);
}
