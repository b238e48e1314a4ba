/*
 * Configurations. Whatever the text, it is read without a crash, and each diagnostic has a place in
 * it; the same text is read the same way again.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/bug.h"
#include "control/config_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* libfyaml loses some memory over texts that are not YAML: '': :o is one. A start reads one text.
 */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml\n";
}

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}

static char *printed(struct span text, size_t *n)
{
	char *lines;
	struct config *c = config_open_text("f.yaml", "/nowhere", text);
	for (size_t i = 0; i < c->diagnostics.n; i++)
		must(c->diagnostics.list[i].at == NOWHERE || c->diagnostics.list[i].at <= text.n);
	if (!c->diagnostics.n)
		must(c->state && c->admin.socket && c->clusters[ARM_SOURCE].nodes &&
		     c->weights.arms[ARM_SOURCE] + c->weights.arms[ARM_TARGET] > 0);
	FILE *to = open_memstream(&lines, n);
	diagnostics_print(&c->diagnostics, to);
	fclose(to);
	config_close(c);
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span text = { (const char *)data, n };
	size_t once_n, twice_n;
	char *once = printed(text, &once_n), *twice = printed(text, &twice_n);
	must(once_n == twice_n && !memcmp(once, twice, once_n));
	free(once);
	free(twice);
	return 0;
}
