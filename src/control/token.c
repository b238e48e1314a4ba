#include "control/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "io/own_file.h"

static bool admin_token_read(int fd, char token[TOKEN_BYTES])
{
	ssize_t n = read(fd, token, TOKEN_BYTES - 1);
	if (n < 0)
		return false;
	token[n] = 0;
	/*
	 * A token that was cut short would be a weak secret. This program writes whole tokens only.
	 */
	errno = EINVAL;
	return n == TOKEN_BYTES - 1 && strspn(token, "0123456789abcdef") == TOKEN_BYTES - 1;
}

/*
 * Replaces the file as a whole. A power cut could leave half a token, which would not be accepted
 * at the next start.
 */
static bool admin_token_make(const char *directory, char token[TOKEN_BYTES])
{
	uint8_t bytes[(TOKEN_BYTES - 1) / 2];
	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	char line[TOKEN_BYTES + 1];
	snprintf(line, sizeof line, "%s\n", token);
	return own_file_replace(directory, TOKEN_FILE, span_of(line));
}

bool token_take(const char *directory, char token[TOKEN_BYTES], bool *made)
{
	int fd = own_file_open_in(directory, TOKEN_FILE, O_RDONLY, 0);
	*made = fd < 0 && errno == ENOENT && admin_token_make(directory, token);
	if (fd < 0)
		return *made;
	bool good = admin_token_read(fd, token);
	int why = errno;
	close(fd);
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
