#include "unit/control/kit.h"

#include "control/changes.h"

#define REST "target: { nodes: [ http://t ] }\nstate: s\n"
#define LISTENERS(inside) "listeners: { " inside " }\n"
#define SOURCE(nodes) "source: { nodes: [ " nodes " ] }\n"
#define ONE LISTENERS("weighted: { address: 127.0.0.1:1, tls: off }")

static void differences_are_told_by_kind(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after, *told;
	} rows[] = {
		{ ONE SOURCE("http://a") REST, ONE SOURCE("http://a") REST, "nothing" },
		{ ONE SOURCE("http://a") REST,
		  ONE SOURCE("http://a") REST "timeouts: { head: 1s }\n", "settings" },
		{ ONE SOURCE("http://a") REST, ONE SOURCE("http://b:9, http://a") REST,
		  "nodes: +source b:9" },
		{ ONE SOURCE("http://a, http://c") REST, ONE SOURCE("https://a") REST,
		  "nodes: +source a, -source a, -source c" },
		{ ONE SOURCE("http://a") REST,
		  LISTENERS("source: { address: '[::1]:2', tls: off }") SOURCE("http://b") REST,
		  "listeners: +source [::1]:2, -weighted 127.0.0.1:1; nodes: +source b, -source "
		  "a" },
		{ ONE SOURCE("http://a") REST,
		  ONE SOURCE(
			  "http://a, http://1, http://2, http://3, http://4, http://5, http://6, "
			  "http://7, http://8, http://9, http://10") REST,
		  "nodes: +source 1, +source 2, +source 3, +source 4, +source 5, +source 6, "
		  "+source 7, "
		  "+source 8 and 2 more" },
	};
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		char told[CHANGES_TEXT_BYTES];
		struct config *before = kit_config(rows[i].before);
		struct config *after = kit_config(rows[i].after);
		changes_tell(before, after, told);
		assert_string_equal(told, rows[i].told);
		config_close(before);
		config_close(after);
	}
}

static void names_of_any_length_have_room(void **state)
{
	(void)state;
	char name[251], nodes[8 * 270] = "", text[4096], told[CHANGES_TEXT_BYTES];
	for (int i = 0; i < 8; i++) {
		memset(name, 'a' + i, sizeof name - 1);
		name[sizeof name - 1] = 0;
		sprintf(nodes + strlen(nodes), "%shttp://%s", i ? ", " : "", name);
	}
	snprintf(text, sizeof text, ONE "source: { nodes: [ %s ] }\n" REST, nodes);
	struct config *before = kit_config(ONE SOURCE("http://a") REST), *after = kit_config(text);
	changes_tell(before, after, told);
	assert_int_equal(strlen(told), CHANGES_TEXT_BYTES - 1);
	config_close(before);
	config_close(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_told_by_kind),
		cmocka_unit_test(names_of_any_length_have_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
