#include "io/own_path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"

struct walk {
	struct own_path *p;
	char left[2 * OWN_PATH_BYTES]; /* the rest of the path */
	char here[OWN_PATH_BYTES];     /* the path so far, with links resolved; "" is the root */
	char name[NAME_MAX + 1];       /* the next name */
	uid_t root;		       /* owner of the root directory */
	unsigned links;
	enum own_file_fault weak;
};

static bool is_trusted(const struct walk *w, uid_t owner)
{
	return owner == geteuid() || owner == 0 || owner == w->root || owner == w->p->also;
}

static enum own_file_fault fault_at(struct walk *w, const char *where, uid_t owner,
				    enum own_file_fault fault)
{
	snprintf(w->p->where, sizeof w->p->where, "%s", *where ? where : "/");
	w->p->owner = owner;
	return fault;
}

/* In a sticky directory only the owner of an entry, or of the directory, may rename it. */
static enum own_file_fault walk_judge_directory(struct walk *w, const struct stat *s)
{
	bool sticky = s->st_mode & S_ISVTX;
	if (!is_trusted(w, s->st_uid))
		return fault_at(w, w->here, s->st_uid, OWN_FILE_OWNER);
	if (s->st_mode & S_IWOTH && !sticky)
		return fault_at(w, w->here, s->st_uid, OWN_FILE_OTHERS);
	/* A group with the same number as our user is that user's private group. */
	if (s->st_mode & S_IWGRP && !sticky && s->st_gid >= USER_GROUP_MIN &&
	    s->st_gid != geteuid() && !w->weak)
		w->weak = fault_at(w, w->here, s->st_uid, OWN_FILE_GROUP);
	return OWN_FILE_GOOD;
}

/* False: the path ends here. */
static bool walk_take_name(struct walk *w)
{
	char *at = w->left + strspn(w->left, "/");
	size_t n = strcspn(at, "/");
	if (!n || n >= sizeof w->name)
		return false;
	memcpy(w->name, at, n);
	w->name[n] = 0;
	memmove(w->left, at + n, strlen(at + n) + 1);
	return true;
}

static bool walk_is_last(const struct walk *w)
{
	return !w->left[strspn(w->left, "/")];
}

/* Continues the path at the target of the link. */
static bool walk_follow(struct walk *w, const char *link)
{
	char to[OWN_PATH_BYTES], whole[sizeof w->left];
	ssize_t n = readlink(link, to, sizeof to - 1);
	if (n <= 0 || ++w->links > LINKS_MAX)
		return false;
	to[n] = 0;
	if ((size_t)snprintf(whole, sizeof whole, "%s/%s", to, w->left) >= sizeof whole)
		return false;
	memcpy(w->left, whole, sizeof whole);
	if (*to == '/')
		w->here[0] = 0;
	return true;
}

/* Nobody can rename "." and "..". */
static bool walk_is_dots(struct walk *w)
{
	if (!strcmp(w->name, "..") && *w->here)
		*strrchr(w->here, '/') = 0;
	return !strcmp(w->name, ".") || !strcmp(w->name, "..");
}

/* False: the path ends here, or *fault is set. */
static bool walk_step(struct walk *w, enum own_file_fault *fault)
{
	char next[OWN_PATH_BYTES];
	struct stat directory, entry;
	if (!walk_take_name(w))
		return false;
	if (walk_is_dots(w))
		return true;
	if (lstat(*w->here ? w->here : "/", &directory))
		return false;
	*fault = walk_judge_directory(w, &directory);
	if (*fault ||
	    (size_t)snprintf(next, sizeof next, "%s/%s", w->here, w->name) >= sizeof next ||
	    lstat(next, &entry))
		return false;
	if (S_ISLNK(entry.st_mode) && !is_trusted(w, entry.st_uid))
		*fault = fault_at(w, next, entry.st_uid, OWN_FILE_LINK);
	if (*fault)
		return false;
	if (S_ISLNK(entry.st_mode))
		return walk_follow(w, next);
	memcpy(w->here, next, sizeof next);
	return !walk_is_last(w);
}

/* Starts at the root, or, for a relative path, at the working directory. */
static bool walk_begin(struct walk *w, const char *path)
{
	char at[OWN_PATH_BYTES] = "";
	struct stat root;
	if (lstat("/", &root) || (*path != '/' && !getcwd(at, sizeof at)))
		return false;
	w->root = root.st_uid;
	return (size_t)snprintf(w->left, sizeof w->left, "%s/%s", at, path) < sizeof w->left;
}

enum own_file_fault own_path_look(const char *path, struct own_path *p)
{
	struct walk w = { .p = p };
	enum own_file_fault fault = OWN_FILE_GOOD;
	if (!walk_begin(&w, path))
		return OWN_FILE_GOOD;
	while (walk_step(&w, &fault))
		;
	return fault ? fault : w.weak;
}
