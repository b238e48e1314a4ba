#ifndef APP_PROCESS_H
#define APP_PROCESS_H

/* The keeper's view of a working process. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/channel.h"
#include "app/inherited.h"

enum process_state {
	PROCESS_NONE,
	PROCESS_STARTING,
	PROCESS_SERVING,
	PROCESS_RETIRED, /* another process serves; this one drains */
};

struct process {
	enum process_state state;
	pid_t pid;
	int channel; /* -1: the process has closed its end */
	uint64_t started_ms;
	/* Orders that came while the process was starting. */
	bool reload_due, reopen_due;
};

/* All working processes; PROCESS_NONE marks a free place. */
struct processes {
	struct process list[PROCESSES_MAX];
};

void processes_open(struct processes *s);

/* Returns the first process in that state, or NULL. */
struct process *processes_find(struct processes *s, enum process_state state);
struct process *processes_of_pid(struct processes *s, pid_t pid);
unsigned processes_n(const struct processes *s);

/*
 * Which configuration a working process starts with: the file; or, after a crash, which must change
 * nothing, the one that was in force (saved_config.h), if there is one.
 */
enum config_source { CONFIG_FROM_FILE, CONFIG_SAVED };
#define CONFIG_SOURCE_FILE "file"
#define CONFIG_SOURCE_SAVED "kept"

/*
 * Executes `binary`, a descriptor, as a working process with the file `config`. False with errno.
 */
bool process_start(struct process *p, int binary, const char *config, enum config_source source,
		   const struct inherited *h);
/* Closes the channel, and frees the place. */
void process_forget(struct process *p);
/* Describes how a process ended, by its wait status: "ended with code 1". */
void process_describe_end(int status, char text[64]);
/*
 * Does nothing when the process has closed its end. Kills a process that has not read its channel
 * for so long that the channel is full.
 */
void process_tell(struct process *p, enum channel_word word);
/* Tells all processes that serve or have served, except `but`. */
void processes_tell(struct processes *s, const struct process *but, enum channel_word word);

/* Raises the limit of open files to the hard limit. Child processes inherit it. */
void process_raise_files(void);
/* Runs in a child, between fork and exec: the child ignores the keeper's signals. */
void process_leave_signals(void);
void keep_over_exec(int fd, bool keep);

/*
 * Our memory contains keys and clients' data. Therefore no core file is made of it, and only root
 * may read it, unless the environment has PROCESS_MAY_DUMP.
 */
#define PROCESS_MAY_DUMP "CROSSFADE_CORE"
void process_forbid_cores(void);

#endif
