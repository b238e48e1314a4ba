#include "app/supervisor.h"

#include <systemd/sd-daemon.h>

#include "base/clock.h"

void supervisor_serving(pid_t with)
{
	sd_notifyf(0, "READY=1\nSTATUS=Serving with process %d", (int)with);
}

void supervisor_reloading(const char *status)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=%s",
		   (unsigned long long)(clock_monotonic_ns() / 1000), status);
}

void supervisor_upgraded(void)
{
	sd_notify(0, "READY=1");
}

void supervisor_upgrade_failed(void)
{
	sd_notify(0, "READY=1\nSTATUS=An upgrade has failed; the version before goes on serving");
}

void supervisor_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=Draining");
}
