/*
 * Evidence: an EAT (RFC 9711) as compact JWS, ES256 (docs/protocol.md section 8).
 *
 * Encoding and decoding of the claims in one place. Decoding verifies the signature before it
 * parses the claims; what the claims must equal is the verifier's business (gateway/authorize).
 */
#ifndef CONCLAVE_PROTOCOL_EVIDENCE_H
#define CONCLAVE_PROTOCOL_EVIDENCE_H

#include "protocol/jws.h"

#define EVIDENCE_TYP "eat+jwt"
#define EVIDENCE_PROFILE "tag:conclave.internal,2026:unlock-1"
#define EVIDENCE_UEID_BYTES 33
#define EVIDENCE_TEXT_BUF (CV_NAME_MAX + 1)
#define EVIDENCE_ACCURACY_UNKNOWN UINT32_MAX

enum evidence_purpose {
	EVIDENCE_UNLOCK = 1,
	EVIDENCE_CHECK = 2
};

enum evidence_debug {
	EVIDENCE_DEBUG_ENABLED = 0,
	EVIDENCE_DEBUG_DISABLED,
	EVIDENCE_DEBUG_DISABLED_SINCE_BOOT,
	EVIDENCE_DEBUG_DISABLED_PERMANENTLY,
	EVIDENCE_DEBUG_DISABLED_FULLY
};

struct evidence_digest {
	char name[EVIDENCE_TEXT_BUF];
	uint8_t value[CV_HASH_BYTES];
};

/* Claims about the platform; a port fills them once per boot. Optional text: "" = absent. */
struct evidence_platform {
	uint8_t boot_id[CV_BOOT_ID_BYTES];
	char oemid[EVIDENCE_TEXT_BUF];
	char hwmodel[EVIDENCE_TEXT_BUF];
	char hwversion[EVIDENCE_TEXT_BUF];
	char swname[EVIDENCE_TEXT_BUF];
	char swversion[EVIDENCE_TEXT_BUF];
	uint64_t bootcount;
	uint64_t uptime_s;
	uint64_t iat_s; /* 0 = absent */
	enum evidence_debug dbgstat;
	uint8_t digest_count;
	struct evidence_digest digests[CV_DIGESTS_MAX];
	char kernel[EVIDENCE_TEXT_BUF];	    /* release */
	char boot_state[EVIDENCE_TEXT_BUF]; /* "secure", "setup", "off", "none", ... */
	uint8_t has_cmdline;
	uint8_t cmdline[CV_HASH_BYTES];
	uint8_t inventory_count;
	struct evidence_digest inventory[CV_INVENTORY_MAX];
	uint8_t has_place;
	int32_t lat_e7;
	int32_t lon_e7;
	uint32_t accuracy_mm; /* EVIDENCE_ACCURACY_UNKNOWN */
	uint8_t has_place_age;
	uint32_t place_age_s; /* of the position, when the token is made */
	uint8_t has_region;
	char region[EVIDENCE_TEXT_BUF];
	char state[EVIDENCE_TEXT_BUF];
	char city[EVIDENCE_TEXT_BUF];
	char place_source[EVIDENCE_TEXT_BUF];
	char place_receiver[EVIDENCE_TEXT_BUF];
	char place_firmware[EVIDENCE_TEXT_BUF]; /* the receiver's */
};

struct evidence {
	enum evidence_purpose purpose;
	uint8_t ueid[EVIDENCE_UEID_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	uint32_t epoch;
	uint8_t share_set_hash[CV_HASH_BYTES];
	uint8_t boot_key[CV_X25519_BYTES]; /* cnf */
	uint8_t nonce_count;
	uint8_t nonces[CV_MEMBERS_MAX][CV_NONCE_BYTES];
	struct evidence_platform platform;
	/* set by decode: the profile was another one (everything else is then unset) */
	uint8_t other_profile;
};

CV_MUST_CHECK enum cv_err evidence_ueid(
	uint8_t out[EVIDENCE_UEID_BYTES], const char *fleet, const char *device);

/* 1 for text that a claim may carry: 1 .. 63 characters of printable ASCII. */
int evidence_text_valid(const char *text);
/* 1 for the name of a measurement: [a-z0-9][a-z0-9._-]{0,62}. */
int evidence_name_valid(const char *name);

/* evidence_platform.c, for evidence.c: the claims about the platform. */
struct json_writer;
struct cJSON;
int evidence_platform_valid(const struct evidence_platform *p);
void evidence_platform_put(struct json_writer *w, const struct evidence_platform *p);
CV_MUST_CHECK enum cv_err evidence_platform_get(
	const struct cJSON *tree, struct evidence_platform *p);

/* `work` is scratch for the claims (CV_EVIDENCE_MAX is enough). Writes text and a NUL. */
CV_MUST_CHECK enum cv_err evidence_encode(char *out, size_t cap, size_t *len,
	const struct evidence *ev, const struct jws_signer *signer, char *work, size_t work_len);

/*
 * CV_ERR_ALGORITHM, CV_ERR_FORMAT/TYPE/RANGE/TOO_LONG (form), CV_ERR_SIGNATURE; *ev is then zeroed.
 * A token of another eat_profile decodes to CV_OK with other_profile set.
 */
CV_MUST_CHECK enum cv_err evidence_decode(struct evidence *ev, const char *text, size_t len,
	const uint8_t public_key[CV_ES256_PUBLIC_BYTES]);

/* 1 if the token names this nonce. */
int evidence_names_nonce(const struct evidence *ev, const uint8_t nonce[CV_NONCE_BYTES]);

#endif
