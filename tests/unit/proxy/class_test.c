#include "unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "proxy/class.h"

#define ROWS_EXPECTED 715

static struct classed look(const char *method, const char *path)
{
	return class_of(PROFILE_OPENSEARCH, method_find(span_of(method)), span_of(path));
}

static const char *word_of(struct classed c)
{
	if (c.class == CLASS_WRITE)
		return c.repeatable ? "a write that is repeated" : "write";
	return c.repeatable ? "read" : "read once";
}

struct example {
	const char *method, *path, *expected;
};

static void check(const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *found = word_of(look(examples[i].method, examples[i].path));
		if (strcmp(found, examples[i].expected))
			fail_msg("%s %s is a %s", examples[i].method, examples[i].path, found);
	}
}

#define CHECK(examples) check(examples, sizeof(examples) / sizeof((examples)[0]))

/* --- the whole API --- */

/* {index} and its like become `name`. */
static void fill_in(char *to, const char *path, const char *name)
{
	for (const char *at = path; *at;) {
		if (*at != '{') {
			*to++ = *at++;
			continue;
		}
		to = stpcpy(to, name);
		at = strchr(at, '}') + 1;
	}
	*to = 0;
}

static void check_row(char *row, const char *name)
{
	char path[1024], copy[1024];
	strcpy(copy, row);
	const char *method = strtok(copy, "\t"), *pattern = strtok(NULL, "\t");
	const char *operation = strtok(NULL, "\t");
	const char *class = strtok(NULL, "\t"), *repeatable = strtok(NULL, "\t\n");
	assert_non_null(repeatable);
	fill_in(path, pattern, name);
	struct classed c = look(method, path);
	if (strcmp(class_name(c.class), class) || c.repeatable != !strcmp(repeatable, "yes"))
		fail_msg("%s (%s %s) is a %s", operation, method, path, word_of(c));
	if (c.in_parts != !strcmp(operation, "bulk_stream"))
		fail_msg("%s (%s %s): in parts is %d", operation, method, path, c.in_parts);
}

static void every_row_of_the_api_has_its_class(void **state)
{
	(void)state;
	FILE *f = fopen(TESTS_DIRECTORY "/vectors/opensearch-api.tsv", "r");
	assert_non_null(f);
	char row[1024];
	unsigned n = 0;
	for (; fgets(row, sizeof row, f); n++) {
		check_row(row, "logs-2024.01.01");
		check_row(row, "x");
		check_row(row, "%3Clogs%2A%3E");
		/* Names that rules use for something else. */
		check_row(row, "template");
		check_row(row, "scroll");
	}
	fclose(f);
	assert_int_equal(n, ROWS_EXPECTED);
}

/* --- rules of their own --- */

static void typed_paths_of_elasticsearch_7_are_known(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/i/t/_search", "read" },
		{ "POST", "/i/t/_search?scroll=1m", "read once" },
		{ "POST", "/i/t/7/_explain", "read" },
		{ "POST", "/i/t/_bulk", "write" },
		{ "POST", "/i/t/7", "write" },
		{ "POST", "/i/t/7/_update", "write" },
		{ "POST", "/i/_pit?keep_alive=1m", "read once" },
		{ "DELETE", "/_pit", "read once" },
		{ "GET", "/_xpack/sql?sql=x", "write" },
		{ "GET", "/i/_flush/synced", "write" },
		{ "POST", "/_opendistro/_ppl", "read" },
		{ "POST", "/_opendistro/_sql", "write" },
		/* A document whose type is _doc and whose id is _search, there and in OpenSearch.
		 */
		{ "POST", "/i/_doc/_search", "write" },
		{ "POST", "/i/_create/_count", "write" },
	};
	CHECK(examples);
}

static void a_search_of_a_plugin_or_a_later_version_is_a_read(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/i/_terms_enum", "read" },
		{ "POST", "/i/_knn_search", "read" },
		{ "GET", "/i/_knn_search", "read" },
		{ "POST", "/i,j*/_mvt/place/3/4/2", "read" },
		{ "POST", "/i/_mvt/place/3/4", "write" },
		{ "POST", "/i/_mvt/place/3/4/2/1", "write" },
		{ "POST", "/i/_graph/explore", "read" },
		{ "POST", "/i/_rollup_search", "read" },
		{ "POST", "/i/_fleet/_fleet_search", "read" },
		{ "POST", "/_fleet/_fleet_msearch", "read" },
		{ "POST", "/_query?format=csv", "read" },
		{ "POST", "/_sql/translate", "read" },
		{ "POST", "/_transform/_preview", "read" },
		{ "POST", "/_security/user/_has_privileges", "read" },
		{ "POST", "/_security/user/me/_has_privileges", "read" },
		{ "POST", "/_ml/anomaly_detectors/j/results/records", "read" },
		{ "POST", "/_ml/anomaly_detectors/j/results/buckets/1", "read" },
		{ "POST", "/_ml/anomaly_detectors/j/model_snapshots", "read" },
		{ "POST", "/_ml/datafeeds/d/_preview", "read" },
		{ "POST", "/_plugins/_alerting/monitors/_search", "read" },
		{ "POST", "/_opendistro/_alerting/monitors/_search", "read" },
		{ "POST", "/_plugins/_anomaly_detection/detectors/_search", "read" },
		{ "POST", "/_plugins/_anomaly_detection/detectors/results/_search/r", "read" },
		{ "POST", "/_plugins/_security_analytics/rules/_search", "read" },
		{ "POST", "/_plugins/_ppl", "read" },
	};
	CHECK(examples);
}

static void what_a_plugin_is_told_to_do_is_a_write(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/_sql", "write" },
		{ "GET", "/_sql?sql=x", "write" },
		{ "POST", "/_sql/close", "write" },
		{ "POST", "/_plugins/_sql", "write" },
		{ "POST", "/_plugins/_async_query", "write" },
		{ "POST", "/_query/x", "write" },
		{ "POST", "/_security/user/me", "write" },
		{ "POST", "/_security/user/_password", "write" },
		{ "POST", "/_ml/anomaly_detectors/j/_open", "write" },
		{ "POST", "/_ml/anomaly_detectors/j/_data", "write" },
		{ "POST", "/_ml/anomaly_detectors/j/model_snapshots/s/_revert", "write" },
		{ "POST", "/_ml/datafeeds/d/_start", "write" },
		{ "POST", "/_transform/t/_start", "write" },
		{ "POST", "/_plugins/_alerting/monitors", "write" },
		{ "POST", "/_plugins/_alerting/monitors/m/_execute", "write" },
		{ "POST", "/_plugins/_anomaly_detection/detectors/d/_start", "write" },
		{ "POST", "/_plugins/_security_analytics/detectors", "write" },
		{ "GET", "/i/_reload_search_analyzers", "write" },
		/* Documents of Elasticsearch 7, where words of no rule are types. */
		{ "POST", "/i/explore", "write" },
		{ "POST", "/i/_doc/_async_search", "write" },
		{ "POST", "/_bulk/_async_search", "write" },
	};
	CHECK(examples);
}

static void a_search_that_is_kept_is_a_context(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/_async_search", "read once" },
		{ "POST", "/i/_async_search?keep_on_completion=true", "read once" },
		{ "GET", "/_async_search/FmRl", "read" },
		{ "GET", "/_async_search/status/FmRl", "read" },
		{ "DELETE", "/_async_search/FmRl", "read once" },
		{ "DELETE", "/_async_search", "write" },
		{ "GET", "/i/_eql/search", "read once" },
		{ "POST", "/i/_eql/search", "read once" },
		{ "DELETE", "/_eql/search/FmRl", "read once" },
		{ "POST", "/_query/async", "read once" },
		{ "DELETE", "/_query/async/_x", "read once" },
		{ "POST", "/_plugins/_asynchronous_search", "read once" },
		{ "GET", "/_plugins/_asynchronous_search/Fj==", "read" },
		{ "DELETE", "/_plugins/_asynchronous_search/Fj%3D%3D", "read once" },
		{ "POST", "/_opendistro/_asynchronous_search", "read once" },
		{ "DELETE", "/i/_async_search", "write" },
	};
	CHECK(examples);
}

static void a_stream_of_bulks_is_acted_on_in_parts(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path;
		bool in_parts;
	} rows[] = {
		{ "POST", "/_bulk/stream", true },
		{ "PUT", "/i/_bulk/stream?pretty", true },
		{ "POST", "/stream/_bulk/stream/", true },
		{ "POST", "/_bulk", false },
		{ "POST", "/i/_bulk", false },
		{ "POST", "/i/_bulk/streams", false },
		{ "POST", "/i/t/_bulk", false },
		{ "POST", "/i/_doc/stream", false },
		{ "GET", "/_bulk/stream", false },
		/* Who reads them otherwise may find one. */
		{ "POST", "/%5fbulk/stream", true },
		{ "POST", "/i//_bulk/stream", true },
		{ "POST", "/a/../_bulk/stream", true },
		{ "GET", "/%5fbulk/stream", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (look(rows[i].method, rows[i].path).in_parts != rows[i].in_parts)
			fail_msg("%s %s", rows[i].method, rows[i].path);
	assert_false(class_of(PROFILE_HTTP, METHOD_POST, SPAN("/_bulk/stream")).in_parts);
}

static void the_method_decides_what_no_rule_names(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "GET", "/", "read" },
		{ "GET", "/_nobody/knows", "read" },
		{ "HEAD", "/i/_doc/1", "read" },
		{ "OPTIONS", "/i", "read" },
		{ "POST", "/", "write" },
		{ "POST", "/_nobody/_search", "write" },
		{ "POST", "/i/_searches", "write" },
		{ "POST", "/i/_search/more", "write" },
		{ "POST", "/a/b/c/_search", "write" },
		{ "POST", "/a/b/c/d/e/f/g/h/i/_search", "write" },
		{ "PUT", "/i/_search", "write" },
		{ "PATCH", "/_search", "write" },
		{ "DELETE", "/i/_search", "write" },
		{ "TRACE", "/_search", "write" },
		{ "post", "/_search", "write" },
		{ "get", "/", "write" },
		{ "SEARCH", "/_search", "write" },
	};
	CHECK(examples);
}

static void a_name_does_not_begin_with_an_underscore_but_all(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/_all/_search", "read" },  { "POST", "/_bulk/_search", "write" },
		{ "POST", "/_doc/_count", "write" },  { "POST", "/_all,-x/_search", "write" },
		{ "POST", "/i/_explain/_1", "read" }, { "POST", "/i/_bulk/_search", "write" },
		{ "GET", "/_all/_refresh", "write" },
	};
	CHECK(examples);
}

/* --- what may fool it --- */

static void an_encoded_word_is_what_it_decodes_to_and_no_less_than_it_is(void **state)
{
	(void)state;
	static const struct example examples[] = {
		/* Whoever decodes first finds these. */
		{ "GET", "/_opendistro/_%73ql?sql=DELETE", "write" },
		{ "GET", "/%5fopendistro/%5fsql", "write" },
		{ "GET", "/_%66lush", "write" },
		{ "GET", "/_%66%6c%75%73%68", "write" },
		{ "GET", "/i/%5frefresh", "write" },
		{ "GET", "/i/%5Frefresh/", "write" },
		{ "HEAD", "/i/%5frefresh", "write" },
		{ "GET", "/_%2566lush", "write" },
		{ "GET", "/_%25%366lush", "write" },
		{ "GET", "/_cache/cle%61r", "write" },
		{ "GET", "/_cache%2Fclear", "write" },
		{ "GET", "/_cache%5cclear", "write" },
		{ "GET", "/_cache%252Fclear", "write" },
		{ "GET", "/i%2F_flush", "write" },
		{ "GET", "/_flush%3Fx", "write" },
		{ "GET", "/_flush%23x", "write" },
		{ "GET", "/_flush%00", "write" },
		{ "GET", "/_flush%0a", "write" },
		/* One may end the path, and what comes before it may not. */
		{ "GET", "/i%23/_flush%3Fx", "write" },
		{ "GET", "/i%00/_flush%23x", "write" },
		{ "GET", "/i%0a/_flush%3Fx", "write" },
		{ "GET", "/_flush;x", "write" },
		{ "GET", "/_flush%3bx", "write" },
		{ "GET", "/_flush;x/synced", "write" },
		{ "GET", "/%5fflush%3bx/%2Fsynced", "write" },
		/* A cluster compares as it came, and stores a document here. */
		{ "POST", "/i/%5fsearch", "write" },
		{ "POST", "/i/%5Fsearch", "write" },
		{ "POST", "/i/_s%65arch", "write" },
		{ "POST", "/i/%255fsearch", "write" },
		{ "POST", "/i%2f_doc/_search", "write" },
		{ "POST", "/i%2F_doc%2F1/_search", "write" },
		{ "POST", "/i%5c_doc/_search", "write" },
		{ "POST", "/i\\_doc/_search", "write" },
		{ "POST", "/a%2Fb/_field_caps", "write" },
		{ "POST", "/i/_doc%3F/_search", "write" },
		{ "POST", "/i%3F/_search", "write" },
		{ "POST", "/i%00/_search", "write" },
		{ "POST", "/i/_explain/a%2F_b", "write" },
		{ "GET", "/i/%5Fdoc/1", "read" },
		{ "GET", "/%69/_doc/1", "read" },
	};
	CHECK(examples);
}

static void what_nobody_can_tell_is_a_write_for_every_method(void **state)
{
	(void)state;
	static const char *const paths[] = {
		"/i%/_search",	   "/i%2/_search",     "/i%zz/_search",	 "/_search%",
		"/_search%2",	   "/%u005fsearch",    "/i%c0%af_doc/x", "/i%e0%80%af_doc/x",
		"/i%F0%80%80%AFx", "/./_search",       "/i/./_search",	 "/i/_doc/../_search",
		"/_search/..",	   "/_search/.",       "/_flush/%2e%2e", "/x/%2E./_flush",
		"/x/..%2F_flush",  "/x%2F..%2F_flush", "/x/..;/_flush",	 "/x/%2e%2e%3b/_flush",
		"/x/%252e%252e/y", "/_flush/x//../..", "/i\x01/_search", "/x\\..\\_flush",
	};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		for (const char *const *m = (const char *const[]){ "GET", "HEAD", "OPTIONS", "POST",
								   "DELETE", NULL };
		     *m; m++)
			if (look(*m, paths[i]).class != CLASS_WRITE || !look(*m, paths[i]).in_parts)
				fail_msg("%s %s", *m, paths[i]);
}

/* Where a listener lets them pass. */
static void a_raw_byte_is_what_its_code_is(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "/logs-%C3%A4/_search", "/logs-\xc3\xa4/_search" },
		{ "/i/_doc/%E2%82%AC", "/i/_doc/\xe2\x82\xac" },
		{ "/i/_doc/%F0%9F%98%80", "/i/_doc/\xf0\x9f\x98\x80" },
		{ "/i%C0%AF_search", "/i\xc0\xaf_search" },
		{ "/i%E0%80%AF_search", "/i\xe0\x80\xaf_search" },
		{ "/i%E0%80%AF_search", "/i\xe0%80\xaf_search" },
		{ "/i%E0%80%AF_search", "/i%E0\x80%AF_search" },
		{ "/i%F0%80%80%AF_search", "/i\xf0\x80\x80\xaf_search" },
		{ "/i%FF/_search", "/i\xff/_search" },
		{ "/i/_doc/%E0", "/i/_doc/\xe0" },
		{ "/%C3%A4/_flush", "/\xc3\xa4/_flush" },
	};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct classed coded = look("GET", pairs[i][0]), raw = look("GET", pairs[i][1]);
		assert_string_equal(word_of(coded), word_of(raw));
		assert_int_equal(coded.repeatable, raw.repeatable);
	}
	assert_int_equal(look("GET", "/i\xe0\x80\xaf_search").class, CLASS_WRITE);
	assert_int_equal(look("GET", "/logs-\xc3\xa4/_search").class, CLASS_READ);
}

static void a_name_or_an_id_may_be_encoded(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/logs-%2A,-x/_search", "read" },
		{ "POST", "/i%2Cj/_search", "read" },
		{ "POST", "/%3Clogs-%7bnow%7D%3E/_search", "read" },
		{ "POST", "/%3Clogstash-%7Bnow%2Fd%7D%3E/_search", "read" },
		{ "GET", "/%3Clogstash-%7Bnow%2Fd%7D%3E/_search", "read" },
		{ "GET", "/%3Clogstash-%7Bnow%2Fd%7D%3E/_search?scroll=1m", "read once" },
		{ "POST", "/%3Ca-%7Bnow%2Fd%7D%3E%2C%3Cb-%7Bnow%2Fd-1d%7D%3E/_search", "read" },
		{ "POST", "/%3Clogstash-%7Bnow%2Fd%7D%3E/_doc", "write" },
		{ "GET", "/%3Clogstash-%7Bnow%2Fd%7D%3E/_refresh", "write" },
		{ "POST", "/.kibana%2dx/_search", "read" },
		{ "POST", "/%69/_search", "read" },
		{ "POST", "/i%20j/_search", "read" },
		{ "POST", "/i%C3%A4/_search", "read" },
		{ "POST", "/i\xc3\xa4/_search", "read" },
		{ "POST", "/{i}/_search", "read" },
		{ "POST", "/i;x/_search", "read" },
		{ "POST", "/i/_explain/a%2Fb", "read" },
		{ "POST", "/i/_explain/https%3A%2F%2Fx.org%2Fy%3Fz%23%25", "read" },
		{ "GET", "/i/_doc/https%3A%2F%2Fx.org%2Fy%3Fz%23%25", "read" },
		{ "GET", "/i/_doc/https%3A%2F%2Fx.org%2F%7Ey%3Fz", "read" },
		{ "GET", "/i/_doc/a%2Fb", "read" },
		{ "GET", "/i/_doc/a%2F_b", "read" },
		{ "GET", "/i/_doc/a%20b", "read" },
		{ "GET", "/i/_doc/a+b", "read" },
		{ "GET", "/i/_doc/a%25b", "read" },
		{ "GET", "/i/_doc/a;b", "read" },
		{ "GET", "/i/_doc/%C3%A9", "read" },
		{ "GET", "/i/_doc/%E0%A4%95%F0%9F%98%80", "read" },
		{ "HEAD", "/i%2fx", "read" },
		{ "GET", "/_cat/indices/a%2a", "read" },
		/* What may be the end of the path makes the rest a query that may ask for a scroll.
		 */
		{ "GET", "/i/_search%3Fscroll=1m", "read once" },
		{ "GET", "/.kibana/_search", "read" },
		{ "POST", "/.../_search", "read" },
	};
	CHECK(examples);
}

static void an_address_may_be_an_id_whatever_is_in_it(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "GET", "/i/_doc/https%3A%2F%2Fx.org%2Fa%2520b%3Fc%3Bd%23e", "read" },
		{ "GET", "/i/_doc/https%3A%2F%2Fx.org%2F%7Ea%3Fb%3Bc%2520d", "read" },
		{ "GET", "/i/_doc/C%3A%5Cdir%5C%7Ea%3Fb%3Bc%2520d%2Fe", "read" },
		{ "HEAD", "/i/_source/https%3A%2F%2Fx.org%2F%7Ea%3Fb%3Bc%2520d", "read" },
		{ "GET", "/i/t/https%3A%2F%2Fx.org%2F%7Ea%3Fb%3Bc%2520d", "read" },
		{ "POST", "/i/_explain/https%3A%2F%2Fx.org%2F%7Ea%3Bc%2520d", "read" },
		{ "PUT", "/i/_doc/https%3A%2F%2Fx.org%2F%7Ea%3Fb%3Bc%2520d", "write" },
		/* As many doubts, and one reading that does something. */
		{ "GET", "/i/%5frefresh%3Fhttps%3A%2F%2Fx.org%2F%7Ea%3Bc%2520d", "write" },
		{ "GET", "/i%2F_refresh%5C;%7E%23%2525", "write" },
	};
	CHECK(examples);
}

static void a_path_has_no_more_doubts_than_can_be_looked_at(void **state)
{
	(void)state;
	static const char doubts[] = "/i/_doc/%2F%5C;%3F%7E%2525";
	char path[1024];
	memset(path, 'x', sizeof path);
	memcpy(path, doubts, sizeof doubts - 1);
	path[512] = 0;
	assert_int_equal(look("GET", path).class, CLASS_READ);
	path[512] = 'x';
	path[513] = 0;
	assert_int_equal(look("GET", path).class, CLASS_WRITE);
	assert_true(look("GET", path).in_parts);
}

static void empty_segments_count_and_do_not(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "//_search", "read" },       { "POST", "/i//_search", "read" },
		{ "POST", "/_search//", "write" },     { "POST", "/_search/", "read" },
		{ "POST", "/i/_search/?q=x", "read" }, { "GET", "/_refresh/", "write" },
		{ "GET", "//_refresh", "write" },      { "GET", "//", "read" },
		{ "GET", "/_refresh//", "write" },     { "GET", "/i//_search", "read" },
		{ "POST", "/i//_doc", "write" },       { "POST", "/_validate//query", "write" },
	};
	CHECK(examples);
}

static void case_and_other_bytes_count(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/_SEARCH", "write" },
		{ "POST", "/i/_Search", "write" },
		{ "POST", "/i/_doc;/_search", "write" },
		{ "POST", "/_search;x=y", "write" },
		{ "POST", "_search", "write" },
		{ "POST", "", "write" },
		{ "GET", "", "write" },
		{ "POST", "*", "write" },
		{ "OPTIONS", "*", "read" },
		{ "POST", "http://h/_search", "write" },
	};
	CHECK(examples);
}

static void the_query_is_no_path(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/i/_doc?/_search", "write" },
		{ "POST", "/i/_doc?x=/../_search", "write" },
		{ "POST", "/i/_search?x=/%2f//../_doc", "read" },
		{ "POST", "?/_search", "write" },
	};
	CHECK(examples);
}

static void a_search_that_opens_a_scroll_is_not_repeated(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/_search?scroll=1m", "read once" },
		{ "GET", "/i/_search?size=1&scroll=1m", "read once" },
		{ "GET", "/i/_search?size=1;scroll=1m", "read once" },
		{ "GET", "/i/_search?scroll", "read once" },
		{ "GET", "/i/_search/template?a=b&scroll=", "read once" },
		{ "GET", "/i/_search?%73croll=1m", "read once" },
		{ "GET", "/i/_search?q=scroll", "read" },
		{ "GET", "/i/_search?q=scroll=1m", "read" },
		{ "GET", "/i/_search?q=%73croll&scrolls=1", "read" },
		{ "GET", "/i/_search?", "read" },
		{ "GET", "/i/_count?scroll=1m", "read" },
	};
	CHECK(examples);
}

/* --- the other profile, texts --- */

static void profile_http_asks_the_method_alone(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "GET", "/_refresh", "read" },	 { "HEAD", "/%2f..", "read" },
		{ "OPTIONS", "*", "read" },	 { "TRACE", "/", "read" },
		{ "POST", "/_search", "write" }, { "PUT", "/", "write" },
		{ "DELETE", "/", "write" },	 { "PATCH", "/", "write" },
		{ "PURGE", "/", "write" },	 { "get", "/", "write" },
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		assert_string_equal(
			word_of(class_of(PROFILE_HTTP, method_find(span_of(examples[i].method)),
					 span_of(examples[i].path))),
			examples[i].expected);
}

static void a_rule_can_be_read(void **state)
{
	(void)state;
	static const struct example examples[] = {
		{ "POST", "/a/_search", "POST /{index}/_search" },
		{ "POST", "/a/b/1/_explain", "POST /{index}/{type}/{id}/_explain" },
		{ "GET", "/_refresh", "GET /_refresh" },
		{ "DELETE", "/_search/scroll/1", "DELETE /_search/scroll/{id}" },
		{ "DELETE", "/_async_search/1", "DELETE /_async_search/{id}" },
		{ "POST", "/a/_mvt/b/1/2/3", "POST /{index}/_mvt/{id}/{id}/{id}/{id}" },
		{ "GET", "/a", "the method changes nothing" },
		{ "POST", "/a", "no rule says that it is a read" },
		{ "GET", "/_%66lush", "GET /_flush" },
		{ "POST", "/a/%5fsearch",
		  "the path can be read in several ways, and not all of them are reads" },
		{ "GET", "/a/..", "the meaning of the path is uncertain: a write, maybe in parts" },
		{ "PUT", "/a/_bulk/stream", "PUT /{index}/_bulk/stream" },
		{ "GET", "/a//b", "the method changes nothing" },
	};
	char text[CLASS_RULE_BYTES];
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		assert_string_equal(
			class_rule_text(look(examples[i].method, examples[i].path), text),
			examples[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_api_has_its_class),
		cmocka_unit_test(typed_paths_of_elasticsearch_7_are_known),
		cmocka_unit_test(a_search_of_a_plugin_or_a_later_version_is_a_read),
		cmocka_unit_test(what_a_plugin_is_told_to_do_is_a_write),
		cmocka_unit_test(a_search_that_is_kept_is_a_context),
		cmocka_unit_test(a_stream_of_bulks_is_acted_on_in_parts),
		cmocka_unit_test(the_method_decides_what_no_rule_names),
		cmocka_unit_test(a_name_does_not_begin_with_an_underscore_but_all),
		cmocka_unit_test(an_encoded_word_is_what_it_decodes_to_and_no_less_than_it_is),
		cmocka_unit_test(what_nobody_can_tell_is_a_write_for_every_method),
		cmocka_unit_test(a_raw_byte_is_what_its_code_is),
		cmocka_unit_test(a_name_or_an_id_may_be_encoded),
		cmocka_unit_test(an_address_may_be_an_id_whatever_is_in_it),
		cmocka_unit_test(a_path_has_no_more_doubts_than_can_be_looked_at),
		cmocka_unit_test(empty_segments_count_and_do_not),
		cmocka_unit_test(case_and_other_bytes_count),
		cmocka_unit_test(the_query_is_no_path),
		cmocka_unit_test(a_search_that_opens_a_scroll_is_not_repeated),
		cmocka_unit_test(profile_http_asks_the_method_alone),
		cmocka_unit_test(a_rule_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
