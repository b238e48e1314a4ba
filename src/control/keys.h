#ifndef CONTROL_KEYS_H
#define CONTROL_KEYS_H

/*
 * Binds a YAML tree to structs by tables: a section is a table of keys, a key is one row of it: its
 * name, its type, where its value goes, its default and its bounds. Whatever the tables do not name
 * is complained about, with what may have been meant.
 */

#include <stdbool.h>
#include <stdint.h>

#include "control/kept_files.h"
#include "control/yaml.h"

struct binder {
	struct arena *arena; /* what is bound lives here */
	struct complaints *complaints;
	const char *directory; /* relative paths begin here */
	/* Files are these, and not those on disk; NULL: they are. */
	const struct kept_files *kept;
	struct kept_files *read; /* gets all that were read; NULL: nobody wants them */
};

struct key;

struct key_type {
	/* Writes the value of `y` to `to`, or complains. */
	void (*bind)(struct binder *b, const struct key *k, const struct yaml *y, void *to);
	/* Writes what holds when the key is not there; NULL: nothing does. */
	void (*preset)(const struct key *k, void *to);
	/* Whether no value of it is a secret: complaints may show it. */
	bool open;
};

struct section {
	const struct key *keys;
	size_t key_n;
	/* Looks at what only shows in several keys together; `to` is the struct. May be NULL. */
	void (*check)(struct binder *b, const void *to);
};

struct key {
	const char *name;
	const struct key_type *type;
	size_t offset;		      /* of its value in the section's struct */
	uint32_t preset, least, most; /* numbers, durations in milliseconds, choices */
	const char *text;	      /* the default of a text */
	const char *const *words;     /* choices: ends with NULL; the value is the index */
	const struct section *section;
	size_t item_bytes, next; /* a list's items: their size, and the offset of their link */
	const char *missing;	 /* required: what is said when it is not there */
};

/* The struct of a section begins with a place: where its key stands, NOWHERE: it does not. */
struct section_head {
	size_t at;
};

/* A file that the text names, whole. */
struct key_file_value {
	const char *path; /* as it is to be opened; NULL: not given */
	const char *text; /* terminated */
	size_t at;	  /* where it is named */
};

extern const struct key_type key_section;  /* a struct that begins with a section_head */
extern const struct key_type key_sections; /* a list of such structs, linked */
extern const struct key_type key_integer;  /* uint32_t */
extern const struct key_type key_duration; /* uint32_t, milliseconds: 300ms, 5s, 2m, 1h, 7d */
extern const struct key_type key_size;	   /* uint64_t, bytes: 64KiB, 100MiB, 2GiB */
extern const struct key_type key_choice;   /* uint32_t */
extern const struct key_type key_text;	   /* const char * */
extern const struct key_type
	key_path; /* const char *: absolute, or from where the balancer is started */
extern const struct key_type
	key_file; /* struct key_file_value; a name alone may be a credential of systemd's */
extern const struct key_type key_later; /* nothing: this version refuses the key */

/* Binds the root of a tree. */
void keys_bind(struct binder *b, const struct section *s, const struct yaml *root, void *to);

/* --- for types of one's own --- */

/* True, or complains: `y` is a scalar with at least one letter. */
bool key_is_scalar(struct binder *b, const struct key *k, const struct yaml *y);
char *key_copy(struct binder *b, struct span text);

#endif
