#ifndef APP_PROCESS_H
#define APP_PROCESS_H

/* A working process as its keeper sees it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/channel.h"
#include "app/holdings.h"

enum process_state {
	PROCESS_NONE,
	PROCESS_STARTING,
	PROCESS_SERVING,
	PROCESS_RETIRED, /* another one serves; it drains */
};

struct process {
	enum process_state state;
	pid_t pid;
	int channel; /* -1: it has closed its end */
	uint64_t started_ms;
	/* Asked for while it was starting. */
	bool reload_due, reopen_due;
};

/* All that there are; PROCESS_NONE is a free place. */
struct processes {
	struct process list[PROCESSES_MAX];
};

void processes_open(struct processes *s);

/* The first in that state, or NULL. */
struct process *processes_find(struct processes *s, enum process_state state);
struct process *processes_of_pid(struct processes *s, pid_t pid);
unsigned processes_n(const struct processes *s);

/*
 * What a working process begins with: the file; or after a crash, which is to change nothing, what
 * was in force (kept.h), when there is something.
 */
enum config_source { CONFIG_FROM_FILE, CONFIG_KEPT };
#define CONFIG_SOURCE_FILE "file"
#define CONFIG_SOURCE_KEPT "kept"

/* Executes `binary`, a descriptor, as a working process of the file `config`. False with errno. */
bool process_start(struct process *p, int binary, const char *config, enum config_source source,
		   const struct holdings *h);
/* What it has not closed is closed; the place is free. */
void process_forget(struct process *p);
/* How it ended, by its wait status: "ended with code 1". */
void process_describe_end(int status, char text[64]);
/* To nobody when it has closed its end. One that has not listened for long is killed. */
void process_tell(struct process *p, enum channel_word word);
/* To all that have ever served, but that one. */
void processes_tell(struct processes *s, const struct process *but, enum channel_word word);

/* The limit of open files, as high as it may be; what is started from here has it too. */
void process_raise_files(void);
/* In a child, between fork and exec: none of the keeper's signals does anything there. */
void process_leave_signals(void);
void keep_over_exec(int fd, bool keep);

/*
 * Keys and what clients send are in our memory: no core is made of it, and only root may look into
 * it, unless the environment has PROCESS_MAY_DUMP.
 */
#define PROCESS_MAY_DUMP "CROSSFADE_CORE"
void process_forbid_cores(void);

#endif
