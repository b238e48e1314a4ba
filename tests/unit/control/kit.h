#ifndef TESTS_UNIT_CONTROL_KIT_H
#define TESTS_UNIT_CONTROL_KIT_H

/* What tests of control share: configurations as texts, scratch directories, a certificate. */

#include "unit/cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config_read.h"

#define ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))

#define PREFIX "crossfade-test-"

/* A new directory; kit_remove() takes it away with all files in it. */
static inline void kit_directory(char path[64])
{
	snprintf(path, 64, "/tmp/" PREFIX "XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline void kit_remove(const char *path)
{
	char file[512];
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		unlink(file);
	}
	closedir(d);
	assert_int_equal(rmdir(path), 0);
}

static inline void kit_write(const char *directory, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline char *kit_read(const char *directory, const char *name)
{
	static char text[65536];
	char path[512];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return text;
}

/* A configuration without mistakes, in the clear; `more` is added at its end. */
#define KIT_CONFIG                                                                                 \
	"listeners:\n"                                                                             \
	"  weighted: { address: 127.0.0.1:8443, tls: off }\n"                                      \
	"source: { nodes: [ http://127.0.0.1:9200 ] }\n"                                           \
	"target: { nodes: [ http://127.0.0.2:9200 ] }\n"                                           \
	"state: state\n"

static inline struct config *kit_config(const char *text)
{
	struct config *c = config_open_text("crossfade.yaml", "", span_of(text));
	if (c->diagnostics.n)
		diagnostics_print(&c->diagnostics, stderr);
	assert_int_equal(c->diagnostics.n, 0);
	return c;
}

#define KIT_CERTIFICATE                                                                            \
	"-----BEGIN CERTIFICATE-----\n"                                                            \
	"MIIBmzCCAUGgAwIBAgIUGObhaGd4kz3C+XPBQtFC+PMx84MwCgYIKoZIzj0EAwIw\n"                       \
	"FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE5MjgwOVoYDzIxMjYxMDMw\n"                       \
	"MTkyODA5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"                       \
	"PQMBBwNCAAStPE82eIYPfF358b+/Idap0Q9ccXs93zBWaD4muZLvMeoh6EkrgLAP\n"                       \
	"2n7g0nbEEsR1xazvtC3oBTBo1AxPA7NKo28wbTAdBgNVHQ4EFgQU8+Gw7O4+LiDo\n"                       \
	"MBPXr/3Ej9aW4l0wHwYDVR0jBBgwFoAU8+Gw7O4+LiDoMBPXr/3Ej9aW4l0wDwYD\n"                       \
	"VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n"                       \
	"zj0EAwIDSAAwRQIgZCQIRIv+ZXeHt7rEPXt1jwoRlw55R16QBEZ/rNcH51kCIQDC\n"                       \
	"hMVJNVHVhgT+xq8BxF2Pot+qDMb+BeQW4rRe7orLfQ==\n"                                           \
	"-----END CERTIFICATE-----\n"

#define KIT_KEY                                                                                    \
	"-----BEGIN PRIVATE KEY-----\n"                                                            \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSOv4P7KeGLy2Ge3U\n"                       \
	"JNIoPfDay960W1WigOPJx7uKAgChRANCAAStPE82eIYPfF358b+/Idap0Q9ccXs9\n"                       \
	"3zBWaD4muZLvMeoh6EkrgLAP2n7g0nbEEsR1xazvtC3oBTBo1AxPA7NK\n"                               \
	"-----END PRIVATE KEY-----\n"

#endif
