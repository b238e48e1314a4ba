#include "unit/cmocka_all.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/trace_diagram.h"

static char *draw(struct trace_diagram *d, const char *from, const char *to, const char *verb,
		  json_int_t number, bool end, json_int_t at_ns)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	json_t *said = json_pack("{s:i,s:i,s:I,s:s,s:s,s:s,s:s,s:I,s:b}", "worker", 0, "request", 1,
				 "at_ns", at_ns, "client", "10.0.0.1:5", "from", from, "to", to,
				 "verb", verb, "number", number, "end", end);
	assert_non_null(said);
	trace_diagram_show(d, said, out);
	fclose(out);
	json_decref(said);
	return text;
}

static void expect(struct trace_diagram *d, const char *from, const char *to, const char *verb,
		   json_int_t number, bool end, const char *line)
{
	char *text = draw(d, from, to, verb, number, end, 1500000);
	if (!strstr(text, line))
		fail_msg("\"%s\" is not in:\n%s", line, text);
	free(text);
}

static void an_arrow_goes_from_who_speaks_to_who_hears(void **state)
{
	(void)state;
	struct trace_diagram d;
	trace_diagram_open(&d);
	free(draw(&d, "client", "front", "opens", 3, false, 1000000));
	expect(&d, "exchange", "front", "grant", 262144, false,
	       "0.1             0.500  |                |< grant 262144 -|                |        "
	       "        |                |\n");
	expect(&d, "front", "exchange", "reset", 0, true,
	       "|                |-- reset, end ->|                |                |              "
	       "  |");
}

static void a_message_comes_from_the_client_and_goes_to_the_node(void **state)
{
	(void)state;
	struct trace_diagram d;
	trace_diagram_open(&d);
	expect(&d, "front", "exchange", "head", 0, true,
	       "|----------- head, end ---------->|                |                |              "
	       "  |");
	expect(&d, "exchange", "front", "head", 200, false,
	       "|<---------- head 200 ------------|                |                |              "
	       "  |");
	expect(&d, "delivery", "back", "data", 13, true,
	       "|                |                |                |--------- data 13, end "
	       "--------->|\n");
}

static void another_party_gets_a_lane_before_the_delivery(void **state)
{
	(void)state;
	struct trace_diagram d;
	trace_diagram_open(&d);
	expect(&d, "exchange", "gate", "head", 0, false,
	       "client           front            exchange         gate             delivery");
	assert_int_equal(d.lane_n, 7);
	for (int i = 0; i < 2 * DIAGRAM_LANES; i++) {
		char name[8];
		snprintf(name, sizeof name, "p%d", i);
		free(draw(&d, name, "gate", "head", 0, false, 1));
	}
	assert_int_equal(d.lane_n, DIAGRAM_LANES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arrow_goes_from_who_speaks_to_who_hears),
		cmocka_unit_test(a_message_comes_from_the_client_and_goes_to_the_node),
		cmocka_unit_test(another_party_gets_a_lane_before_the_delivery),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
