#ifndef NET_TLS_LIBRARY_H
#define NET_TLS_LIBRARY_H

/*
 * One worker's part of OpenSSL: its own library context, and the objects that all sessions of its
 * thread use. So two workers share no lock.
 */

struct tls_library;
struct tls_library *tls_library_open(void);
/* After its last context and certificate are closed. */
void tls_library_close(struct tls_library *l);
/* Makes it the calling thread's default. A worker does so once, before its first turn. */
void tls_library_enter(struct tls_library *l);

#endif
