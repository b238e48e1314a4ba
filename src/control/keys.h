#ifndef CONTROL_KEYS_H
#define CONTROL_KEYS_H

/*
 * Binds a YAML tree to structs by tables. A section is a table of keys. A row describes one key:
 * its name, its type, where its value goes, its default and its bounds. A key that no table has
 * gets a diagnostic, with the name that was probably meant.
 */

#include <stdbool.h>
#include <stdint.h>

#include "control/saved_files.h"
#include "control/yaml.h"

struct binder {
	struct arena *arena; /* memory for all that is bound */
	struct diagnostics *diagnostics;
	const char *directory; /* relative paths begin here */
	/* Files are read from here, and not from the disk. NULL: from the disk. */
	const struct saved_files *kept;
	struct saved_files *read; /* gets all files that were read; may be NULL */
};

struct key;

struct key_type {
	/* Writes the value of `y` to `to`, or adds a diagnostic. */
	void (*bind)(struct binder *b, const struct key *k, const struct yaml *y, void *to);
	/* Writes the value of a key that is not given. NULL: there is none. */
	void (*preset)(const struct key *k, void *to);
	/* No value of this type is a secret: diagnostics may show it. */
	bool open;
	/*
	 * The kind of value, for the manual. NULL: a section, or a key that this version does not
	 * use.
	 */
	const char *kind;
};

struct section {
	const struct key *keys;
	size_t key_n;
	/* Checks that concern several keys together; `to` is the struct. May be NULL. */
	void (*check)(struct binder *b, const void *to);
};

struct key {
	const char *name;
	const struct key_type *type;
	size_t offset;		      /* of the value in the section's struct */
	uint32_t preset, least, most; /* for numbers, choices, and durations in milliseconds */
	const char *text;	      /* the default of a text */
	const char *const *words;     /* of a choice, then NULL; the value is the index */
	const struct section *section;
	size_t item_bytes, next; /* a list's items: their size, and the offset of their link */
	const char *missing;	 /* the message when a required key is not given; else NULL */
};

/*
 * The struct of each section begins with the place of its key. NOWHERE: the section is not given.
 */
struct section_head {
	size_t at;
};

/* A file that the configuration names, with its whole text. */
struct key_file_value {
	const char *path; /* the path to open; NULL: not given */
	const char *text; /* terminated */
	size_t at;	  /* the place of the key */
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
	key_file; /* struct key_file_value; a bare name may be a systemd credential */
extern const struct key_type key_later; /* no value: this version refuses the key */

/* Binds the root of a tree. */
void keys_bind(struct binder *b, const struct section *s, const struct yaml *root, void *to);

/* --- for types in other files --- */

/* True: `y` is a scalar with at least one character. False after a diagnostic. */
bool key_is_scalar(struct binder *b, const struct key *k, const struct yaml *y);
char *key_copy(struct binder *b, struct span text);

#endif
