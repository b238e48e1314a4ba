#include "control/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "io/own_file.h"

static bool read_token(int fd, char token[TOKEN_BYTES])
{
	ssize_t n = read(fd, token, TOKEN_BYTES - 1);
	if (n < 0)
		return false;
	token[n] = 0;
	/* Cut short, it would be a weak secret; it was made by somebody else then. */
	errno = EINVAL;
	return n == TOKEN_BYTES - 1 && strspn(token, "0123456789abcdef") == TOKEN_BYTES - 1;
}

static bool write_token(int fd, char token[TOKEN_BYTES])
{
	uint8_t bytes[(TOKEN_BYTES - 1) / 2];
	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	char line[TOKEN_BYTES + 1];
	snprintf(line, sizeof line, "%s\n", token);
	errno = ENOSPC;
	return write(fd, line, TOKEN_BYTES) == TOKEN_BYTES && fsync(fd) == 0;
}

static void take_away(const char *directory)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof path, "%s/" TOKEN_FILE, directory) < sizeof path)
		unlink(path);
}

bool token_take(const char *directory, char token[TOKEN_BYTES], bool *made)
{
	int fd = own_file_open_in(directory, TOKEN_FILE, O_RDWR | O_CREAT | O_EXCL, 0600);
	*made = fd >= 0;
	if (!*made && errno == EEXIST)
		fd = own_file_open_in(directory, TOKEN_FILE, O_RDONLY, 0);
	if (fd < 0)
		return false;
	bool good = *made ? write_token(fd, token) : read_token(fd, token);
	int why = errno;
	close(fd);
	if (!good && *made)
		take_away(directory);
	errno = why;
	return good;
}

bool token_is(const char token[TOKEN_BYTES], struct span given)
{
	unsigned differs = given.n != TOKEN_BYTES - 1;
	for (size_t i = 0; i < TOKEN_BYTES - 1; i++)
		differs |= (unsigned char)token[i] ^ (unsigned char)(i < given.n ? given.at[i] : 0);
	return !differs;
}
