/*
 * One connection between two programs that share a key of 32 random bytes and nothing else: TLS 1.3
 * with that key as external PSK and a fresh X25519 exchange (RFC 8446 section 2.2, psk_dhe_ke), so
 * no certificates. Who has not the key can neither pose as one end nor as the other, and learns
 * nothing from a recording even if the key leaks later.
 *
 * Messages are u32 big-endian length and bytes. Every call ends at its deadline (absolute,
 * clock_monotonic_ms). Threads: one. Nothing is printed.
 *
 * Errors   CV_ERR_TIMEOUT; CV_ERR_UNREACHABLE: refused, closed or cut; CV_ERR_SEAL: the other end
 *          has not the key; CV_ERR_TOO_LONG: a message over the limit; CV_ERR_ARGUMENT: not an
 *          address.
 */
#ifndef CONCLAVE_HOST_PSK_LINK_H
#define CONCLAVE_HOST_PSK_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/err.h"

#define PSK_LINK_KEY_BYTES 32
#define PSK_LINK_ADDRESS_BUF 280 /* HOST:PORT, [V6]:PORT */

#define PSK_LINK_TOKEN_BUF (PSK_LINK_ADDRESS_BUF + 44) /* ADDRESS/KEY, the key in base64url */

struct psk_link;

/* Both in one text, which is as secret as the key. */
CV_MUST_CHECK enum cv_err psk_link_token_encode(char out[PSK_LINK_TOKEN_BUF], const char *address,
	const uint8_t key[PSK_LINK_KEY_BYTES]);
/* White space after it is skipped. CV_ERR_FORMAT. */
CV_MUST_CHECK enum cv_err psk_link_token_decode(char address[PSK_LINK_ADDRESS_BUF],
	uint8_t key[PSK_LINK_KEY_BYTES], const char *text);

/* Binds; port 0 takes a free one. `bound` receives the address with its real port. */
CV_MUST_CHECK enum cv_err psk_link_listen(
	int *fd, char bound[PSK_LINK_ADDRESS_BUF], const char *address);
/* The next caller, whoever it is: CV_ERR_SEAL if it has not the key, and then the next may come. */
CV_MUST_CHECK enum cv_err psk_link_accept(struct psk_link **out, int listen_fd,
	const uint8_t key[PSK_LINK_KEY_BYTES], uint64_t deadline_ms, uint64_t handshake_ms);
CV_MUST_CHECK enum cv_err psk_link_connect(struct psk_link **out, const char *address,
	const uint8_t key[PSK_LINK_KEY_BYTES], uint64_t deadline_ms);

CV_MUST_CHECK enum cv_err psk_link_send(
	struct psk_link *l, const void *data, size_t len, uint64_t deadline_ms);
/* At most `cap` bytes. */
CV_MUST_CHECK enum cv_err psk_link_receive(
	struct psk_link *l, void *out, size_t cap, size_t *len, uint64_t deadline_ms);
/* NULL is allowed. */
void psk_link_close(struct psk_link *l);

#endif
