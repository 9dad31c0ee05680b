/*
 * A model of a gateway, written from docs/protocol.md on the codecs of protocol/: it really verifies
 * MAC, nonce, evidence and boot rule, and it really seals. Conduct says how it lies; a liar has its
 * own MAC key, so its answers are authentic.
 */
#ifndef CONCLAVE_TESTS_SIM_GATEWAY_H
#define CONCLAVE_TESTS_SIM_GATEWAY_H

#include "protocol/crypto.h"
#include "protocol/evidence.h"
#include "protocol/mac.h"
#include "protocol/message.h"
#include "tests/unit/protocol/sim_random.h"

#define SIM_BODY_MAX CV_BODY_MAX
#define SIM_SPENT_MAX 256
#define SIM_BOOT_KEYS 3
#define SIM_YEAR_S 31536000

struct sim_message { /* a request or an answer on its way */
	char target[CV_TARGET_MAX];
	unsigned int status;
	int has_header;
	char header[MAC_REQUEST_HEADER_BUF];
	size_t header_len;
	char body[SIM_BODY_MAX];
	size_t body_len;
	/* what only the simulator knows */
	size_t member; /* request: made for; answer: the gateway that made it */
	int lie;       /* answer: carries a share that is not the device's */
	int changed;   /* on the way */
	char answers[MAC_REQUEST_HEADER_BUF]; /* answer: the header of its request */
};

enum sim_conduct {
	SIM_HONEST = 0,
	SIM_WRONG_SHARE,      /* a random share, well sealed */
	SIM_OTHER_EPOCH,      /* a true share of another epoch */
	SIM_OTHER_NONCE,      /* the true share, sealed to another nonce */
	SIM_OTHER_X,	      /* the true share under another x */
	SIM_OTHER_KEY,	      /* the true share, sealed to another boot key */
	SIM_LOW_ORDER,	      /* sealed share of zeros: a low-order point */
	SIM_GARBAGE,	      /* authentic, not JSON */
	SIM_WRONG_STATUS,     /* authentic, body of another status */
	SIM_DENIES,	      /* "no" */
	SIM_LATER_YEAR,	      /* "later", in a year */
	SIM_NEW_NONCE,	      /* "new_nonce", always */
	SIM_SILENT,
	SIM_FICKLE,	      /* another conduct at each request */
	SIM_CONDUCTS
};

struct sim_slot {
	int used;
	uint32_t epoch;
	uint8_t x;
	uint8_t share[CV_SECRET_BYTES];
	uint8_t set_hash[CV_HASH_BYTES];
};

struct sim_gateway {
	struct mac_scope scope;
	char id[CV_ID_BUF];
	uint8_t mac_key[CV_MAC_KEY_BYTES];
	uint8_t attestation_public[CV_ES256_PUBLIC_BYTES];
	uint8_t volume_id[CV_VOLUME_ID_BYTES];
	struct sim_slot slots[2]; /* durable: current and pending */
	int current;
	uint8_t boot_id[CV_BOOT_ID_BYTES]; /* durable: last release */
	uint8_t boot_keys[SIM_BOOT_KEYS][CV_X25519_BYTES];
	size_t boot_key_count;
	uint64_t counter;
	uint8_t nonce_key[CV_MAC_KEY_BYTES]; /* RAM */
	uint8_t spent[SIM_SPENT_MAX][CV_NONCE_BYTES];
	size_t spent_count;
	uint64_t clock_offset_ms;
	enum sim_conduct conduct;
	struct sim_random random;
	/* what the checks read */
	unsigned int authentic;	  /* requests whose MAC held */
	unsigned int unauthentic;
	unsigned int nonces;	  /* nonce requests answered or refused with a MAC */
	unsigned int releases;	  /* true shares of any epoch that left, well sealed */
	uint32_t release_epoch;
	uint64_t release_ms;	  /* of the last one */
};

/* Fills `answer` and returns 1, or returns 0 for silence. */
int sim_gateway_serve(struct sim_gateway *g, uint64_t now_ms, const struct sim_message *request,
	struct sim_message *answer);
/* RAM is lost: nonce key and spent nonces. */
void sim_gateway_restart(struct sim_gateway *g);
const char *sim_conduct_name(enum sim_conduct conduct);

#endif
