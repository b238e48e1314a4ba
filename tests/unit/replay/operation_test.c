#include "unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "replay/operation.h"

static struct operation look(const char *method, const char *target)
{
	return operation_of(method_find(span_of(method)), span_of(target));
}

/* "effect index type id", or the name of what is unknown. */
static void say(char *to, size_t room, const struct operation *o)
{
	snprintf(to, room, "%s%s%.*s%s%.*s%s%.*s%s%.*s", operation_effect(o), o->name.n ? " " : "",
		 (int)o->name.n, o->name.n ? o->name.at : "", o->index.n ? " index=" : "",
		 (int)o->index.n, o->index.n ? o->index.at : "", o->type.n ? " type=" : "",
		 (int)o->type.n, o->type.n ? o->type.at : "", o->id.n ? " id=" : "", (int)o->id.n,
		 o->id.n ? o->id.at : "");
}

struct row {
	const char *method, *target, *expected;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char said[256];
		struct operation o = look(rows[i].method, rows[i].target);
		say(said, sizeof said, &o);
		if (strcmp(said, rows[i].expected))
			fail_msg("%s %s: %s", rows[i].method, rows[i].target, said);
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void documents_are_named_by_their_paths(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "PUT", "/i/_doc/1", "key index=i id=1" },
		{ "POST", "/i/_doc/1?routing=r", "key index=i id=1" },
		{ "DELETE", "/i/_doc/a%2Fb", "key index=i id=a%2Fb" },
		{ "POST", "/i/_doc", "key index=i" },
		{ "POST", "/i/_doc/", "key index=i" },
		{ "PUT", "/i/_create/1", "key index=i id=1" },
		{ "POST", "/i/_update/1", "key index=i id=1" },
		{ "POST", "/i/_doc/_search", "key index=i id=_search" },
		{ "PUT", "/i/t/1", "key index=i type=t id=1" },
		{ "POST", "/i/t", "key index=i type=t" },
		{ "DELETE", "/i/t/1", "key index=i type=t id=1" },
		{ "PUT", "/i/t/1/_create", "key index=i type=t id=1" },
		{ "POST", "/i/t/1/_update", "key index=i type=t id=1" },
		{ "POST", "/i/_doc/1/_update", "key index=i id=1" },
		{ "PUT", "/%3Clogs-%7Bnow%2Fd%7D%3E/_doc/1",
		  "key index=%3Clogs-%7Bnow%2Fd%7D%3E id=1" },
		{ "GET", "/i/_doc/1", "nothing" },
		{ "HEAD", "/i/_doc/1", "nothing" },
		{ "PATCH", "/i/_doc/1", "unknown other" },
		{ "PUT", "/i//1", "unknown other" },
		{ "PUT", "/i/_doc/1/2/3/4/5/6", "unknown other" },
	};
	CHECK(rows);
}

static void a_bulk_may_have_an_index_and_a_type(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "POST", "/_bulk", "key of each item" },
		{ "PUT", "/i/_bulk?refresh", "key of each item index=i" },
		{ "POST", "/i/t/_bulk", "key of each item index=i type=t" },
		{ "POST", "/i/_bulk/stream", "key of each item index=i" },
		{ "GET", "/_bulk", "nothing" },
		{ "DELETE", "/_bulk", "unknown other" },
	};
	CHECK(rows);
	assert_int_equal(look("POST", "/_bulk/stream").act, OPERATION_BULK_STREAM);
}

static void what_changes_many_documents_says_of_which_index(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "POST", "/a,b*/_update_by_query", "scan index=a,b*" },
		{ "POST", "/_all/_delete_by_query?conflicts=proceed", "sweep index=_all" },
		{ "POST", "/i/t/_delete_by_query", "sweep index=i type=t" },
		{ "POST", "/_reindex?wait_for_completion=false", "scan" },
		{ "POST", "/_reindex/node:1/_rethrottle", "unknown tasks" },
		{ "DELETE", "/i", "fence index=i" },
		{ "DELETE", "/_all", "fence index=_all" },
		{ "DELETE", "/logs-*,-x", "fence index=logs-*,-x" },
		{ "DELETE", "/_data_stream/logs", "fence index=logs" },
		{ "POST", "/i/_split/j", "walk index=j" },
		{ "PUT", "/i/_shrink/j", "walk index=j" },
		{ "PUT", "/i/_clone/j", "walk index=j" },
		{ "POST", "/_snapshot/r/s/_restore", "walk id=s" },
		{ "GET", "/_plugins/_sql?sql=x", "walk, of a statement that deletes" },
		{ "POST", "/_plugins/_sql/close", "nothing" },
		{ "POST", "/_plugins/_ppl", "nothing" },
	};
	CHECK(rows);
}

static void what_surrounds_documents_is_looked_at(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "PUT", "/i", "surroundings index=i" },
		{ "PUT", "/i/_mapping", "surroundings index=i" },
		{ "PUT", "/i/_mapping/t", "surroundings index=i id=t" },
		{ "PUT", "/i/t/_mapping", "surroundings index=i type=t" },
		{ "PUT", "/_mapping/t", "surroundings" },
		{ "PUT", "/_all/_settings", "surroundings index=_all" },
		{ "PUT", "/_settings", "surroundings" },
		{ "PUT", "/i/_block/write", "surroundings index=i id=write" },
		{ "POST", "/_aliases", "surroundings" },
		{ "DELETE", "/i/_alias/a", "surroundings index=i id=a" },
		{ "PUT", "/_template/t", "surroundings id=t" },
		{ "PUT", "/_component_template/t", "surroundings id=t" },
		{ "DELETE", "/_index_template/t", "surroundings id=t" },
		{ "PUT", "/_ingest/pipeline/p", "surroundings id=p" },
		{ "PUT", "/_scripts/s/score", "surroundings id=score" },
		{ "POST", "/a/_rollover", "surroundings index=a" },
		{ "PUT", "/_data_stream/d", "surroundings index=d" },
		{ "GET", "/_template/t", "nothing" },
	};
	CHECK(rows);
}

static void reads_and_maintenance_are_nothing(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "POST", "/i/_search", "nothing" },
		{ "POST", "/i/t/_search", "nothing" },
		{ "DELETE", "/_search/scroll", "nothing" },
		{ "POST", "/_refresh", "nothing" },
		{ "GET", "/i/_refresh", "nothing index=i" },
		{ "POST", "/i/_flush/synced", "nothing index=i" },
		{ "POST", "/_forcemerge", "nothing" },
		{ "POST", "/i/_cache/clear", "nothing index=i" },
		{ "OPTIONS", "/i/_doc/1", "nothing" },
		{ "GET", "/a/%2e%2e/b", "nothing" },
		{ "OPTIONS", "*", "nothing" },
	};
	CHECK(rows);
}

static void what_is_not_understood_has_a_name(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "PUT", "/_cluster/settings", "unknown cluster" },
		{ "POST", "/_nodes/reload_secure_settings", "unknown nodes" },
		{ "PUT", "/_snapshot/r/s", "unknown snapshot" },
		{ "PUT", "/_security/user/u", "unknown security" },
		{ "PATCH", "/_plugins/_security/api/roles", "unknown security" },
		{ "PUT", "/_ilm/policy/p", "unknown policies" },
		{ "PUT", "/_plugins/_ism/policies/p/q/r/s/t", "unknown policies" },
		{ "PUT", "/_plugins/_alerting/monitors/m", "unknown plugins" },
		{ "POST", "/i/_close", "unknown open and close index=i" },
		{ "DELETE", "/", "unknown other" },
		{ "POST", "/_new_in_some_version", "unknown other" },
		{ "POST", "/i/_new/1", "unknown other" },
		{ "POST", "*", "unknown other" },
		{ "POST", "", "unknown other" },
	};
	CHECK(rows);
}

/* Rows of tests/vectors/opensearch-api.tsv that write: none is unknown without a name but those. */
static void every_write_of_the_api_has_its_row(void **state)
{
	(void)state;
	FILE *f = fopen(TESTS_DIRECTORY "/vectors/opensearch-api.tsv", "r");
	assert_non_null(f);
	char line[1024];
	unsigned others = 0;
	while (fgets(line, sizeof line, f)) {
		const char *method = strtok(line, "\t"), *path = strtok(NULL, "\t");
		const char *operation = strtok(NULL, "\t");
		struct operation o = look(method, path);
		if (o.act != OPERATION_UNKNOWN || !span_is(o.name, SPAN("other")))
			continue;
		if (!strstr(operation, "indices.upgrade"))
			fail_msg("%s %s (%s) is unknown", method, path, operation);
		others++;
	}
	fclose(f);
	assert_int_equal(others, 2);
}

static void a_parameter_is_the_last_of_its_name(void **state)
{
	(void)state;
	static const struct {
		const char *query, *value;
	} rows[] = {
		{ "routing=a", "a" },
		{ "x=1&routing=a%20b+c", "a b c" },
		{ "routing=a;routing=b", "b" },
		{ "r%6futing=a", "a" },
		{ "routing", "" },
		{ "routing=", "" },
		{ "routing=a=b", "a=b" },
		{ "&&routing=a&&", "a" },
		{ "", NULL },
		{ "outing=a&routings=b&=c", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char room[64];
		struct span value;
		bool found =
			operation_parameter(span_of(rows[i].query), SPAN("routing"), room, &value);
		assert_int_equal(found, rows[i].value != NULL);
		if (found && !span_is(value, span_of(rows[i].value)))
			fail_msg("%s: '%.*s'", rows[i].query, (int)value.n, value.at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_named_by_their_paths),
		cmocka_unit_test(a_bulk_may_have_an_index_and_a_type),
		cmocka_unit_test(what_changes_many_documents_says_of_which_index),
		cmocka_unit_test(what_surrounds_documents_is_looked_at),
		cmocka_unit_test(reads_and_maintenance_are_nothing),
		cmocka_unit_test(what_is_not_understood_has_a_name),
		cmocka_unit_test(every_write_of_the_api_has_its_row),
		cmocka_unit_test(a_parameter_is_the_last_of_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
