#include "unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/compare_around.h"

struct heard {
	char text[2048];
	int counts, known;
};

static void hear(void *user, const char *what, const char *known)
{
	struct heard *h = user;
	size_t n = strlen(h->text);
	snprintf(h->text + n, sizeof h->text - n, "%s%s;", what, known ? " (known)" : "");
	h->counts += !known;
	h->known += known != NULL;
}

static const struct {
	const char *owner, *replica, *heard;
} indices[] = {
	{ "{}", "{}", "" },
	{ "{'mappings':{'properties':{'n':{'type':'long'}}}}",
	  "{'mappings':{'properties':{'n':{'type':'text'}}}}",
	  "mapping: properties.n.type: \"long\" / \"text\";" },
	{ "{'mappings':{'_doc':{'properties':{'n':{'type':'long'}}}}}",
	  "{'mappings':{'properties':{'n':{'type':'long'}}}}", "" },
	{ "{'mappings':{'properties':{'n':{'type':'long'}}}}", "{'mappings':{}}",
	  "mapping: properties: an object of 1 members / nothing;" },
	{ "{'aliases':{'a':{},'b':{'is_write_index':true}}}", "{'aliases':{'b':{},'c':{}}}",
	  "alias a: the replica does not have it;alias b: is_write_index: true / nothing;"
	  "alias c: the owner does not have it;" },
	{ "{'settings':{'index':{'number_of_shards':'2','uuid':'x','number_of_replicas':'1'}}}",
	  "{'settings':{'index':{'number_of_shards':'3','uuid':'y','number_of_replicas':'0',"
	  "'replication':{'type':'DOCUMENT'}}}}",
	  "setting number_of_shards: \"2\" / \"3\";"
	  "setting number_of_replicas: \"1\" / \"0\" (known);"
	  "setting replication: the owner does not have it (known);" },
	{ "{'settings':{'index':{'default_pipeline':'p'}}}", "{'settings':{'index':{}}}",
	  "setting default_pipeline: the replica does not have it (known);" },
};

static json_t *read(const char *text)
{
	char *json = strdup(text);
	assert_non_null(json);
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	json_t *j = json_loads(json, 0, NULL);
	assert_non_null(j);
	free(json);
	return j;
}

static void what_differs_of_an_index_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
		struct heard h = { 0 };
		json_t *owner = read(indices[i].owner), *replica = read(indices[i].replica);
		bool equal = around_compare_index(owner, replica, hear, &h);
		assert_int_equal(equal, !h.counts);
		assert_string_equal(h.text, indices[i].heard);
		json_decref(owner);
		json_decref(replica);
	}
}

static const struct {
	enum around_kind kind;
	const char *owner, *replica, *heard;
} kinds[] = {
	{ AROUND_INDEX_TEMPLATES,
	  "{'index_templates':[{'name':'a','index_template':{'index_patterns':['a*']}},"
	  "{'name':'logs','index_template':{}}]}",
	  "{'index_templates':[{'name':'a','index_template':{'index_patterns':['b*']}}]}",
	  "index template a: index_patterns[0]: \"a*\" / \"b*\";"
	  "index template logs: the replica does not have it (known);" },
	{ AROUND_COMPONENT_TEMPLATES,
	  "{'component_templates':[{'name':'a','component_template':{'template':{}}}]}", "{}",
	  "component template a: the replica does not have it;" },
	{ AROUND_TEMPLATES, "{'.monitoring-es':{},'mine':{'order':1}}", "{'mine':{'order':1.0}}",
	  "template .monitoring-es: the replica does not have it (known);" },
	{ AROUND_PIPELINES, "{'p':{}}", "{'q':{}}",
	  "pipeline p: the replica does not have it;pipeline q: the owner does not have it;" },
};

static void templates_and_pipelines_are_compared_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct heard h = { 0 };
		json_t *owner = read(kinds[i].owner), *replica = read(kinds[i].replica);
		bool equal = around_compare_kind(kinds[i].kind, owner, replica, hear, &h);
		assert_int_equal(equal, !h.counts);
		assert_string_equal(h.text, kinds[i].heard);
		json_decref(owner);
		json_decref(replica);
	}
	assert_true(around_compare_kind(AROUND_PIPELINES, NULL, NULL, hear, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_differs_of_an_index_is_told),
		cmocka_unit_test(templates_and_pipelines_are_compared_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
