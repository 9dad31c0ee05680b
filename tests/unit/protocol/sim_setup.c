/* Who there is before anything happens: secrets, share sets, gateways, the device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shamir/shamir.h"
#include "tests/unit/protocol/sim_world.h"

/* P-256 keys are costly and say nothing about a schedule: one pair serves all. */
uint8_t sim_attestation_private[CV_ES256_PRIVATE_BYTES];
static uint8_t attestation_public[CV_ES256_PUBLIC_BYTES];

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "sim_world: %s failed\n", what);
	abort();
}

static void epoch_deal(struct sim_world *w, size_t index)
{
	struct sim_epoch *e = &w->epochs[index];
	struct shamir_share shares[CV_MEMBERS_MAX];
	uint8_t random[SHAMIR_RANDOM_BYTES(CV_MEMBERS_MAX)];

	sim_fill(&w->random, e->secret, sizeof(e->secret));
	sim_fill(&w->random, random, sizeof(random));
	must(shamir_split(shares, w->n, w->k, e->secret, random) == SHAMIR_OK, "shamir_split");
	memcpy(e->set.fleet, "fleet", 6);
	memcpy(e->set.device, "edge-1", 7);
	memcpy(e->set.volume_id, w->epochs[0].set.volume_id, CV_VOLUME_ID_BYTES);
	e->set.epoch = (uint32_t)(7 + index);
	e->set.threshold = (uint8_t)w->k;
	e->set.count = (uint8_t)w->n;
	/* Stands for the hash of the signed text, which the handshake never sees. */
	sim_fill(&w->random, e->set.hash, sizeof(e->set.hash));
	for (size_t i = 0; i < w->n; i++) {
		struct share_set_member *m = &e->set.members[i];

		memcpy(m->gateway, w->gateways[i].id, sizeof(m->gateway));
		m->x = shares[i].x;
		memcpy(e->shares[i], shares[i].y, CV_SECRET_BYTES);
		must(share_commitment(m->commitment, e->set.volume_id, e->set.epoch, m->x,
			     shares[i].y) == CV_OK,
			"share_commitment");
	}
}

static void gateway_make(struct sim_world *w, size_t index, const uint8_t root[CV_MAC_ROOT_BYTES])
{
	struct sim_gateway *g = &w->gateways[index];

	snprintf(g->id, sizeof(g->id), "gateway-%zu", index);
	g->scope.fleet = "fleet";
	g->scope.device = "edge-1";
	g->scope.gateway = g->id;
	g->random.state = sim_u64(&w->random);
	must(mac_key_derive(g->mac_key, root, &g->scope) == CV_OK, "mac_key_derive");
	memcpy(w->mac_keys[index], g->mac_key, sizeof(g->mac_key));
	memcpy(g->attestation_public, attestation_public, sizeof(attestation_public));
	memcpy(g->volume_id, w->epochs[0].set.volume_id, sizeof(g->volume_id));
	/* Clocks of gateways agree in nothing. */
	g->clock_offset_ms = sim_below(&w->random, 1u << 30);
	sim_gateway_restart(g);
}

/* Every gateway holds its share of both epochs; tests of epochs take them away again. */
static void slots_fill(struct sim_world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		for (size_t e = 0; e < SIM_EPOCHS; e++) {
			struct sim_slot *slot = &w->gateways[i].slots[e];

			slot->used = 1;
			slot->epoch = w->epochs[e].set.epoch;
			slot->x = w->epochs[e].set.members[i].x;
			memcpy(slot->share, w->epochs[e].shares[i], CV_SECRET_BYTES);
			memcpy(slot->set_hash, w->epochs[e].set.hash, CV_HASH_BYTES);
		}
	}
}

void sim_world_init(struct sim_world *w, uint64_t seed, size_t n, size_t k)
{
	uint8_t root[CV_MAC_ROOT_BYTES];

	memset(w, 0, sizeof(*w));
	must(crypto_init() == CV_OK, "crypto_init");
	if (attestation_public[0] == 0)
		must(crypto_es256_keypair(sim_attestation_private, attestation_public) == CV_OK,
			"crypto_es256_keypair");
	w->seed = seed;
	w->random.state = seed;
	w->n = n;
	w->k = k;
	w->now_ms = 1 + sim_below(&w->random, 1000000);
	sim_fill(&w->random, w->epochs[0].set.volume_id, CV_VOLUME_ID_BYTES);
	sim_fill(&w->random, root, sizeof(root));
	for (size_t i = 0; i < n; i++)
		gateway_make(w, i, root);
	for (size_t e = 0; e < SIM_EPOCHS; e++)
		epoch_deal(w, e);
	slots_fill(w);
	w->platform.dbgstat = EVIDENCE_DEBUG_DISABLED_SINCE_BOOT;
	memcpy(w->platform.swname, "sim", 4);
	memcpy(w->platform.swversion, "1", 2);
	w->trace = getenv("SIM_TRACE") != NULL;
	sim_world_reboot(w);
}

void sim_world_reboot(struct sim_world *w)
{
	sim_fill(&w->random, w->boot_private, sizeof(w->boot_private));
	must(crypto_x25519_public(w->boot_public, w->boot_private) == CV_OK, "crypto_x25519_public");
	sim_fill(&w->random, w->platform.boot_id, sizeof(w->platform.boot_id));
	w->platform.bootcount++;
}

int sim_world_mount_ok(struct sim_world *w, size_t gateway, size_t epoch, uint64_t counter)
{
	static struct sim_message request, answer;
	struct sim_gateway *g = &w->gateways[gateway];
	struct event_request m = {.epoch = w->epochs[epoch].set.epoch, .counter = counter,
		.event = DEVICE_EVENT_MOUNT_OK};
	uint8_t mac[CV_MAC_BYTES];

	memset(&request, 0, sizeof(request));
	sim_fill(&w->random, m.request_id, sizeof(m.request_id));
	memcpy(m.volume_id, g->volume_id, sizeof(m.volume_id));
	memcpy(m.boot_id, w->platform.boot_id, sizeof(m.boot_id));
	snprintf(request.target, sizeof(request.target), "%s", MESSAGE_TARGET_EVENTS);
	must(event_request_encode(request.body, sizeof(request.body), &request.body_len, &m) == CV_OK,
		"event_request_encode");
	must(mac_request(mac, w->mac_keys[gateway], &g->scope, "POST", request.target, request.body,
		     request.body_len) == CV_OK,
		"mac_request");
	must(mac_request_header(request.header, "edge-1", mac) == CV_OK, "mac_request_header");
	request.header_len = strlen(request.header);
	return sim_gateway_serve(g, w->now_ms, &request, &answer) && answer.status == 200;
}
