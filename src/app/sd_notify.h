#ifndef APP_SD_NOTIFY_H
#define APP_SD_NOTIFY_H

/*
 * Tells systemd about the keeper's life (sd_notify(3), Type=notify). Does nothing without systemd.
 */

#include <sys/types.h>

void sd_notify_serving(pid_t with);
/* A reload or an upgrade has begun; sd_notify_serving() or sd_notify_upgraded() ends it. */
void sd_notify_reloading(const char *status);
void sd_notify_upgraded(void);
void sd_notify_upgrade_failed(void);
void sd_notify_stopping(void);

#endif
