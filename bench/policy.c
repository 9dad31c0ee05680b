/*
 * What policies cost: a verdict with a device's own policy, and with a group's of the largest kind;
 * and how long a gateway with many devices in many groups takes to open its store. The store is a
 * real one on the disk below the directory given as the only argument.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "gateway/authorize.h"
#include "gateway/store_policy.h"
#include "host/secret.h"
#include "protocol/crypto.h"
#include "protocol/group.h"

#define GATEWAY "gw-a"
#define DEVICES 100000
#define GROUPS 1000
#define BATCH 500
#define REFERENCES 1000
#define POLYGONS 100
#define NOW_S 1795240800u

#define RULES(place) \
	"\"rules\":{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":1000}," \
	"\"measurements\":\"not_required\",\"place\":" place \
	",\"iat\":\"not_required\",\"lease_seconds\":0,\"reveal_reason\":false}"
#define REST \
	",\"trust_classes\":[\"software\"],\"min_client\":{\"conclave\":\"0.1\"}," \
	"\"windows\":\"not_required\",\"releases_per_day\":12,\"approval\":\"not_required\"," \
	"\"clock\":\"any\"}"
#define HEAD "{\"v\":1,\"fleet\":\"bench\",\"group\":\"lamps\","

struct bench {
	struct authorize_input in;
	struct authorize_request request;
	struct evidence evidence;
	struct policy own;
	struct group_policy small, large;
	uint8_t ueid[EVIDENCE_UEID_BYTES];
	struct record *record;
	char text[CV_GROUP_POLICY_MAX + 1];
	size_t text_len;
};

static struct bench b;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void add(const char *format, ...)
{
	const size_t room = sizeof(b.text) - b.text_len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(b.text + b.text_len, room, format, args);
	va_end(args);
	MUST(n < 0 || (size_t)n >= room);
	b.text_len += (size_t)n;
}

/* Fences one above the other; the device stands in the last. */
static void add_polygons(void)
{
	for (unsigned int i = 0; i < POLYGONS; i++) {
		const unsigned int south = 1000000 * i, north = south + 500000;

		add("%s{\"name\":\"fence-%u\",\"polygon\":[[%u,0],[%u,300000],[%u,500000],[%u,600000],"
		    "[%u,500000],[%u,0]]}",
			i == 0 ? "" : ",", i, south, south, south + 100000, south + 300000, north,
			north);
	}
}

/* Four measurements; the value that matches is the last of each. */
static void add_references(void)
{
	add("\"references\":{");
	for (unsigned int i = 0; i < REFERENCES; i++) {
		const bool first = i % (REFERENCES / 4) == 0;

		if (first)
			add("%s\"m%u\":[", i == 0 ? "" : "],", i / (REFERENCES / 4));
		add("%s{\"name\":\"%u\",\"value\":\"%054d%010u\"}", first ? "" : ",", i, 0, i);
	}
	add("]},");
}

static void make_texts(void)
{
	static const char small[] = HEAD RULES("\"not_required\"") REST;
	char problem[160] = "";

	MUST(group_decode(&b.small, small, strlen(small), NULL, 0));
	add("%s", HEAD);
	add_references();
	add("%s", "\"rules\":{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,\"max_step\":1000},"
		"\"measurements\":\"not_required\",\"place\":{\"areas\":[");
	add_polygons();
	add("%s", "],\"max_accuracy_m\":100},\"iat\":\"not_required\",\"lease_seconds\":0,"
			 "\"reveal_reason\":false}" REST);
	if (group_decode(&b.large, b.text, b.text_len, problem, sizeof(problem)))
		measure_die(problem);
}

static void make_input(void)
{
	struct evidence_platform *p = &b.evidence.platform;
	struct record_share *share = &b.record->volumes[0].current;

	b.in.request = &b.request;
	b.in.purpose = b.evidence.purpose = EVIDENCE_UNLOCK;
	b.in.evidence = &b.evidence;
	b.in.ueid = b.ueid;
	b.in.record = b.record;
	b.in.policy = &b.own;
	b.in.clock.now_s = NOW_S;
	b.in.clock.trusted = true;
	b.request.epoch = b.evidence.epoch = share->epoch = 1;
	share->present = true;
	share->x = 1;
	share->threshold = 2;
	share->members = 3;
	strcpy(b.record->device, "cam-1");
	b.record->state = DEVICE_ACTIVE;
	b.record->trust_class = TRUST_SOFTWARE;
	b.record->volume_count = 1;
	b.evidence.nonce_count = 1;
	memset(p->boot_id, 3, sizeof(p->boot_id));
	p->dbgstat = EVIDENCE_DEBUG_DISABLED;
	strcpy(p->swname, "conclave");
	strcpy(p->swversion, CONCLAVE_VERSION);
	p->digest_count = 4;
	for (unsigned int i = 0; i < 4; i++) {
		const unsigned int last = (i + 1) * (REFERENCES / 4) - 1;

		snprintf(p->digests[i].name, sizeof(p->digests[i].name), "m%u", i);
		for (unsigned int d = 0, rest = last; d < 5; d++, rest /= 100)
			p->digests[i].value[31 - d] =
				(uint8_t)(rest % 10 + rest / 10 % 10 * 16);
	}
	p->has_place = 1;
	p->lat_e7 = 1000000 * (POLYGONS - 1) + 200000;
	p->lon_e7 = 200000;
	p->accuracy_mm = 5000;
	b.own = b.small.rules;
}

static void step_verdict(void *context, size_t times)
{
	b.in.group = context;
	strcpy(b.record->group, context != NULL ? "lamps" : "");
	while (times--) {
		if (authorize(&b.in).reason != REASON_RELEASE)
			measure_die(reason_code(authorize(&b.in).reason));
	}
}

static void step_parse(void *context, size_t times)
{
	struct group_policy *p = context;

	while (times--) {
		MUST(group_decode(p, b.text, b.text_len, NULL, 0));
		group_free(p);
	}
}

static void put_groups(struct store *store)
{
	static struct store_group group;
	enum store_room room;

	MUST(store_begin(store, &room));
	for (unsigned int i = 0; i < GROUPS; i++) {
		struct store_policy policy = {.version = 1};

		memset(&group, 0, sizeof(group));
		snprintf(group.id, sizeof(group.id), "group-%u", i);
		group.in_force = 1;
		MUST(store_policy_add(store, &group, &policy, b.text, 4096));
		MUST(store_group_put(store, &group));
	}
	MUST(store_commit(store, NOW_S, 0));
}

static void put_devices(struct store *store)
{
	static const char text[] = "{\"v\":1,\"policy_version\":1,\"boot\":{\"max_keys\":3,"
				   "\"max_step\":1000},\"measurements\":\"not_required\",\"place\":"
				   "\"not_required\",\"iat\":\"not_required\",\"lease_seconds\":0,"
				   "\"reveal_reason\":false}";
	enum store_room room;

	memcpy(b.record->policy, text, sizeof(text));
	b.record->policy_len = sizeof(text) - 1;
	for (unsigned int first = 0; first < DEVICES; first += BATCH) {
		MUST(store_begin(store, &room));
		for (unsigned int i = first; i < first + BATCH; i++) {
			snprintf(b.record->device, sizeof(b.record->device), "dev-%u", i);
			snprintf(b.record->group, sizeof(b.record->group), "group-%u", i % GROUPS);
			MUST(store_device_put(store, b.record));
		}
		MUST(store_commit(store, NOW_S, 0));
		store_tidy(store);
	}
}

/* What a keeper does before it is ready: open, check every record, know every group. */
static uint64_t load(const struct store_config *cfg)
{
	static struct store_group group;
	const uint64_t start = measure_now_ns();
	char why[STORE_WHY_BUF] = "", after[CV_ID_BUF] = "";
	struct store *store = NULL;
	unsigned int count = 0;
	uint64_t took;

	if (store_open(&store, cfg, why))
		measure_die(why);
	while (store_group_next(store, after, &group) == CV_OK) {
		strcpy(after, group.id);
		count++;
	}
	took = measure_now_ns() - start;
	MUST(count != GROUPS || store_committed(store)->devices != DEVICES);
	store_close(store);
	return took;
}

static void bench_load(const char *directory)
{
	char path[4096], why[STORE_WHY_BUF] = "";
	uint8_t store_key[STORE_KEY_BYTES], private[CV_ES256_PRIVATE_BYTES];
	uint8_t public[CV_ES256_PUBLIC_BYTES];
	struct seal_keys *keys = secret_alloc(sizeof(*keys));
	struct jws_signer signer;
	const struct store_config cfg = {.path = path, .gateway = GATEWAY, .keys = keys,
		.signer = &signer, .signer_public = public, .reserve_records = 1000};
	struct store *store = NULL;
	uint64_t took[5], least, most;

	MUST(!keys);
	MUST(crypto_random(store_key, sizeof(store_key)));
	MUST(seal_keys_derive(keys, store_key));
	MUST(crypto_es256_keypair(private, public));
	signer = jws_key_signer(private);
	snprintf(path, sizeof(path), "%s/store.db", directory);
	if (store_create(&cfg, why) || store_open(&store, &cfg, why))
		measure_die(why);
	put_groups(store);
	put_devices(store);
	store_close(store);
	for (size_t i = 0; i < 5; i++) {
		uint64_t t = load(&cfg);
		size_t at = i;

		for (; at > 0 && took[at - 1] > t; at--)
			took[at] = took[at - 1];
		took[at] = t;
	}
	least = took[0];
	most = took[4];
	printf("gateway: open and check 100,000 devices in 1,000 groups\t%llu\t%llu\t%llu\n",
		(unsigned long long)took[2], (unsigned long long)least, (unsigned long long)most);
	secret_free(keys);
}

int main(int argc, char **argv)
{
	static struct group_policy parsed;
	const struct measure_side sides[] = {
		{"verdict: the device's own policy", step_verdict, NULL, NULL},
		{"verdict: and a group's", step_verdict, &b.small, NULL},
		{"verdict: and a group's with 1,000 reference values and 100 polygons",
			step_verdict, &b.large, NULL},
		{"that policy: parse (once, then it is kept)", step_parse, &parsed, NULL},
	};

	if (argc != 2)
		measure_die("usage: policy DIRECTORY");
	MUST(secret_process_init());
	MUST(crypto_init());
	b.record = secret_alloc(sizeof(*b.record));
	MUST(!b.record);
	make_texts();
	make_input();
	measure(sides, sizeof(sides) / sizeof(sides[0]), 5000);
	bench_load(argv[1]);
	secret_free(b.record);
	group_free(&b.small);
	group_free(&b.large);
	return 0;
}
