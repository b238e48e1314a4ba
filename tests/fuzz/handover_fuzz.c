/*
 * What an earlier keeper hands over: any bytes as its list. Descriptors that it names may be open
 * or not; nothing is closed, and what is read makes sense.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/handover.h"
#include "base/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_have_ends(const struct handover *h)
{
	must(memchr(h->program, 0, sizeof h->program));
	for (size_t i = 0; i < h->inherited.socket_n; i++)
		must(memchr(h->inherited.sockets[i].path, 0, sizeof h->inherited.sockets[i].path));
	for (size_t i = 0; i < h->inherited.lock_n; i++)
		must(memchr(h->inherited.locks[i].path, 0, sizeof h->inherited.locks[i].path));
	must(processes_n(&h->processes) <= PROCESSES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handover h;
	char error[HANDOVER_ERROR_BYTES] = "";
	int fd = memfd_create("list", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (handover_read(fd, &h, error))
		must_have_ends(&h);
	else
		must(error[0] && memchr(error, 0, sizeof error));
	inherited_disown(&h.inherited);
	must(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	return 0;
}
