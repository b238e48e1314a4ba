#ifndef APP_SUPERVISOR_H
#define APP_SUPERVISOR_H

/* What systemd is told of the keeper's life (sd_notify(3), Type=notify); nothing without it.
 */

#include <sys/types.h>

void supervisor_serving(pid_t with);
/* A reload or an upgrade has begun; supervisor_serving() or supervisor_upgraded() ends it. */
void supervisor_reloading(const char *status);
void supervisor_upgraded(void);
void supervisor_upgrade_failed(void);
void supervisor_stopping(void);

#endif
