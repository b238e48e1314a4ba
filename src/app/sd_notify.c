#include "app/sd_notify.h"

#include <systemd/sd-daemon.h>

#include "base/clock.h"

void sd_notify_serving(pid_t with)
{
	sd_notifyf(0, "READY=1\nSTATUS=Serving with process %d", (int)with);
}

void sd_notify_reloading(const char *status)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=%s",
		   (unsigned long long)(clock_monotonic_ns() / 1000), status);
}

void sd_notify_upgraded(void)
{
	sd_notify(0, "READY=1");
}

void sd_notify_upgrade_failed(void)
{
	sd_notify(0, "READY=1\nSTATUS=An upgrade has failed; the version before goes on serving");
}

void sd_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Draining");
}
