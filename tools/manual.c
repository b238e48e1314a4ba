/*
 * Writes what users read beside `--help`, from the tables that `--help` and `crossfade check` have:
 * the manual pages crossfade(1) and crossfade.yaml(5), and bash's completion. Runs when the program
 * is built, and is not installed.
 */

#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "control/config.h"
#include "control/duration.h"
#include "control/keys.h"

/* --- roff --- */

/* A line may not begin with a dot or a quote, and a hyphen is to be copied as what it is. */
static void roff(const char *text)
{
	bool begins = true;
	for (; *text; text++) {
		if (begins && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		begins = *text == '\n';
	}
}

static void header(const char *name, int section, const char *summary)
{
	printf(".TH \"%s\" %d \"\" \"Crossfade %s\" \"Crossfade\"\n.SH NAME\n", name, section,
	       CROSSFADE_VERSION);
	roff(name);
	fputs(" \\- ", stdout);
	roff(summary);
	putchar('\n');
}

static void paragraph(const char *text)
{
	roff(text);
	putchar('\n');
}

static void as_it_stands(const char *text)
{
	puts(".PP\n.nf");
	roff(text);
	puts(".fi");
}

/* --- crossfade(1) --- */

static void command(const struct command *c)
{
	printf(".SS \"crossfade %s\"\n", c->name);
	paragraph(c->summary);
	puts(".PP\n.nf");
	fputs("\\fBcrossfade ", stdout);
	roff(c->name);
	fputs("\\fP ", stdout);
	roff(c->arguments);
	puts("\n.fi");
	if (c->help[0])
		as_it_stands(c->help);
}

static void command_page(void)
{
	size_t n, capture_n, replay_n;
	const struct command *list = commands_list(&n), *capture = commands_of_capture(&capture_n),
			     *replay = commands_of_replay(&replay_n);
	header("crossfade", 1, "moves live HTTP traffic from one cluster to another, and back");
	puts(".SH SYNOPSIS\n.B crossfade\n.I COMMAND\n.RI [ ARGUMENTS ]\n.SH DESCRIPTION");
	paragraph("Crossfade is a load balancer in front of two clusters, the source and the "
		  "target. It sends requests to both in proportion to two weights, which are "
		  "changed while traffic flows, and records what passes to the source.");
	puts(".SH COMMANDS");
	for (size_t i = 0; i < n; i++)
		command(&list[i]);
	for (size_t i = 0; i < capture_n; i++)
		command(&capture[i]);
	for (size_t i = 0; i < replay_n; i++)
		command(&replay[i]);
	puts(".SH EXIT STATUS");
	puts(".TP\n0\nok\n.TP\n1\nthe answer is no, or it went wrong\n.TP\n2\nthe command line "
	     "makes no sense\n.TP\n3\nno balancer answers\n.TP\n4\ndone, but not every worker has "
	     "said that it heeds it");
	puts(".SH ENVIRONMENT");
	puts(".TP\n.B CROSSFADE_SOCKET\nthe admin socket of the balancer that commands talk to\n"
	     ".TP\n.B CROSSFADE_ADMIN\nits admin.address instead, as http://127.0.0.1:9280\n"
	     ".TP\n.B CROSSFADE_TOKEN_FILE\nthe file with the token for that");
	puts(".SH FILES\n.TP\n.I /etc/crossfade/crossfade.yaml\nthe configuration of the service\n"
	     ".TP\n.I /var/lib/crossfade\nits weights, their history, and the capture log\n"
	     ".TP\n.I /run/crossfade/admin.sock\nits admin socket");
	puts(".SH SEE ALSO\n.BR crossfade.yaml (5)\n.PP\n.I "
	     "/usr/share/doc/crossfade/operating.md");
}

/* --- crossfade.yaml(5) --- */

static size_t count(const char *const *words)
{
	size_t n = 0;
	while (words && words[n])
		n++;
	return n;
}

static void say_choice(const struct key *k)
{
	for (size_t i = 0; k->words[i]; i++)
		printf("%s\\fB%s\\fP", i ? ", " : "", k->words[i]);
	if (k->preset < count(k->words))
		printf("; \\fB%s\\fP unless it is given", k->words[k->preset]);
	else
		printf("; by the profile unless it is given");
}

static void say_duration(const struct key *k)
{
	char least[DURATION_TEXT_BYTES], most[DURATION_TEXT_BYTES], preset[DURATION_TEXT_BYTES];
	printf("%s, %s to %s", k->type->kind, duration_text(k->least, least),
	       duration_text(k->most, most));
	if (k->preset)
		printf("; %s unless it is given", duration_text(k->preset, preset));
}

static void say_integer(const struct key *k)
{
	printf("%s, %u to %u", k->type->kind, k->least, k->most);
	if (k->preset)
		printf("; %u unless it is given", k->preset);
}

static void say_bytes(const char *before, uint32_t n)
{
	if (n && n % (1024 * 1024) == 0)
		printf("%s%u MiB", before, n / (1024 * 1024));
	else if (n && n % 1024 == 0)
		printf("%s%u KiB", before, n / 1024);
	else
		printf("%s%u bytes", before, n);
}

static void say_size(const struct key *k)
{
	fputs(k->type->kind, stdout);
	say_bytes(", at least ", k->least);
	if (k->most)
		say_bytes(", at most ", k->most);
	if (k->preset) {
		say_bytes("; ", k->preset);
		fputs(" unless it is given", stdout);
	}
}

static void say_value(const struct key *k)
{
	if (k->words)
		say_choice(k);
	else if (k->type == &key_duration)
		say_duration(k);
	else if (k->type == &key_integer)
		say_integer(k);
	else if (k->type == &key_size)
		say_size(k);
	else
		roff(k->type->kind);
	if (k->text)
		printf("; \\fB%s\\fP unless it is given", k->text);
}

static void keys(const struct section *s, const char *path);

static void key(const struct key *k, const char *path)
{
	char name[256];
	bool list = k->type == &key_sections;
	snprintf(name, sizeof name, "%s%s%s%s", path, path[0] ? "." : "", k->name,
		 list ? "[]" : "");
	if (k->section) {
		keys(k->section, name);
		return;
	}
	printf(".TP\n\\fB%s\\fP\n", name);
	say_value(k);
	if (k->missing) {
		fputs(". It must be given: ", stdout);
		roff(k->missing);
	}
	puts(".");
}

/* What this version refuses is not told. */
static void keys(const struct section *s, const char *path)
{
	for (size_t i = 0; i < s->key_n; i++)
		if (s->keys[i].type->kind && !s->keys[i].section)
			key(&s->keys[i], path);
	for (size_t i = 0; i < s->key_n; i++)
		if (s->keys[i].section) {
			if (!path[0])
				printf(".SH \"%s\"\n", s->keys[i].name);
			key(&s->keys[i], path);
		}
}

static void config_page(void)
{
	header("crossfade.yaml", 5, "the configuration of crossfade");
	puts(".SH DESCRIPTION");
	paragraph("One YAML file. A key of a section is written here with the section's name and "
		  "a dot before it: timeouts.idle is the key idle in the section timeouts; [] "
		  "stands behind a list of sections. Durations are written 300ms, 5s, 2m, 1h, 7d, "
		  "sizes 64KiB, 100MiB, 2GiB. Paths begin at the file's own directory. A key that "
		  "is not known is a mistake.");
	puts(".PP\n.B crossfade check \\-c\n.I FILE\nsays all that is wrong with a file, each with "
	     "its line and column.\n.I /usr/share/doc/crossfade/configuration.md\nsays what each "
	     "key "
	     "is for.\n.SH KEYS");
	keys(config_section(), "");
	puts(".SH SEE ALSO\n.BR crossfade (1)");
}

/* --- completion --- */

/* The words of a text that begin with a hyphen, each once. */
static void options_of(const struct command *c)
{
	const char *const texts[] = { c->arguments, c->help };
	char seen[2048] = " ";
	for (size_t t = 0; t < 2; t++)
		for (const char *at = texts[t]; (at = strpbrk(at, "-")); at++) {
			size_t n = strspn(at, "-abcdefghijklmnopqrstuvwxyz");
			char word[64];
			bool begins = at == texts[t] || strchr(" [(|\n", at[-1]);
			if (!begins || n < 2 || n >= sizeof word - 2 || (n > 2 && at[1] != '-') ||
			    at[n - 1] == '-')
				continue;
			snprintf(word, sizeof word, " %.*s ", (int)n, at);
			if (strstr(seen, word))
				continue;
			strncat(seen, word + 1, sizeof seen - strlen(seen) - 1);
		}
	printf("%s--help", seen + 1);
}

static void completion_of(const struct command *c)
{
	printf("\t\"%s\") words='", c->name);
	options_of(c);
	puts("' ;;");
}

static void names(const struct command *list, size_t n, const char *before)
{
	size_t skipped = strlen(before);
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i ? " " : "", list[i].name + skipped);
}

/* `crossfade NAME`, whose commands are words of their own. */
static void completion_of_parts(const char *name, const struct command *list, size_t n)
{
	char before[32];
	snprintf(before, sizeof before, "%s ", name);
	printf("\tif [[ $name == %s ]]; then\n\t\tif ((COMP_CWORD == 2)); then\n\t\t\twords='",
	       name);
	names(list, n, before);
	puts(" --help'\n\t\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	     "\t\t\treturn\n\t\tfi\n\t\tname+=\" ${COMP_WORDS[2]}\"\n\tfi");
}

static void completion(void)
{
	size_t n, capture_n, replay_n;
	const struct command *list = commands_list(&n), *capture = commands_of_capture(&capture_n),
			     *replay = commands_of_replay(&replay_n);
	puts("# bash completion for crossfade\n\n_crossfade() {\n"
	     "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} "
	     "words=\n"
	     "\tlocal name=${COMP_WORDS[1]}\n"
	     "\tCOMPREPLY=()");
	fputs("\tif ((COMP_CWORD == 1)); then\n\t\twords='", stdout);
	names(list, n, "");
	puts(" help --help --version'\n"
	     "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n\t\treturn\n\tfi");
	completion_of_parts("capture", capture, capture_n);
	completion_of_parts("replay", replay, replay_n);
	puts("\tcase $before in\n"
	     "\t-c | --config | --socket | --token-file | --suite)\n"
	     "\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n\t\treturn ;;\n"
	     "\t--directory)\n\t\tCOMPREPLY=($(compgen -d -- \"$current\"))\n\t\treturn ;;\n"
	     "\t--profile) words='http opensearch' ;;\n"
	     "\t--format) words='trafficstream jsonl har' ;;\n"
	     "\t-o | --output)\n\t\tcase $name in\n"
	     "\t\t\"capture export\")\n\t\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
	     "\t\t\treturn ;;\n"
	     "\t\t\"capture cat\") words='text json raw' ;;\n\t\t*) words='text json' ;;\n"
	     "\t\tesac ;;\n\tesac");
	puts("\tif [[ $words ]]; then\n"
	     "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n\t\treturn\n\tfi");
	puts("\tcase $name in");
	for (size_t i = 0; i < n; i++)
		completion_of(&list[i]);
	for (size_t i = 0; i < capture_n; i++)
		completion_of(&capture[i]);
	for (size_t i = 0; i < replay_n; i++)
		completion_of(&replay[i]);
	puts("\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n"
	     "complete -o filenames -F _crossfade crossfade");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*write)(void);
	} pages[] = {
		{ "crossfade.1", command_page },
		{ "crossfade.yaml.5", config_page },
		{ "bash", completion },
	};
	for (size_t i = 0; argc == 2 && i < sizeof pages / sizeof pages[0]; i++)
		if (!strcmp(argv[1], pages[i].name)) {
			pages[i].write();
			return fflush(stdout) || ferror(stdout);
		}
	fprintf(stderr, "manual: one of crossfade.1, crossfade.yaml.5 and bash is expected\n");
	return 2;
}
