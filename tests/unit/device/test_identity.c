#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/identity.h"
#include "host/secret.h"
#include "protocol/base64url.h"
#include "protocol/crypto.h"
#include "protocol/mac.h"
#include "tests/unit/support/temp_dir.h"

static uint8_t root_private[CV_ES256_PRIVATE_BYTES], root_public[CV_ES256_PUBLIC_BYTES];
static uint8_t operator_private[CV_ES256_PRIVATE_BYTES];
static char crt[CV_OPCERT_MAX];

static int start(void **state)
{
	struct opcert cert = { .fleet = "f1", .operator_id = "ann", .roles = OP_ROLE_DEAL,
		.iat_s = 1, .exp_s = 2 }; /* long expired: a deal stays a deal */
	struct jws_signer root = jws_key_signer(root_private);
	size_t len;

	(void)state;
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK ||
		crypto_es256_keypair(root_private, root_public) != CV_OK ||
		crypto_es256_keypair(operator_private, cert.key) != CV_OK)
		return -1;
	return opcert_encode(crt, sizeof(crt), &len, &cert, &root) == CV_OK ? 0 : -1;
}

static void put(void **state, const char *name, const void *data, size_t len, mode_t mode)
{
	assert_int_equal(file_write_atomic(temp_path(state, name), data, len, mode), CV_OK);
}

static void put_text(void **state, const char *name, const char *text)
{
	put(state, name, text, strlen(text), 0644);
}

static void put_share_set(void **state, const char *device, uint32_t epoch)
{
	struct share_set set = { .fleet = "f1", .epoch = epoch, .threshold = 2, .count = 3 };
	struct jws_signer signer = jws_key_signer(operator_private);
	char text[CV_SHARE_SET_MAX + 1];
	size_t len = 0;

	strcpy(set.device, device);
	memset(set.volume_id, 7, sizeof(set.volume_id));
	for (size_t i = 0; i < 3; i++) {
		snprintf(set.members[i].gateway, CV_ID_BUF, "g%zu", i + 1);
		set.members[i].x = (uint8_t)(i + 1);
	}
	assert_int_equal(share_set_encode(text, sizeof(text), &len, &set, crt, &signer), CV_OK);
	put(state, "share-set.jws", text, len, 0644);
}

static void put_device_json(void **state, const char *device, unsigned int epoch)
{
	uint8_t volume[CV_VOLUME_ID_BYTES];
	char b64[BASE64URL_BUF(CV_VOLUME_ID_BYTES)], text[512];

	memset(volume, 7, sizeof(volume));
	assert_int_equal(base64url_encode(b64, sizeof(b64), volume, sizeof(volume)), CV_OK);
	snprintf(text, sizeof(text),
		"{\"v\":1,\"fleet\":\"f1\",\"device\":\"%s\",\"volume_id\":\"%s\",\"epoch\":%u,"
		"\"trust_class\":\"software\"}\n",
		device, b64, epoch);
	put_text(state, "device.json", text);
}

static void put_all(void **state)
{
	uint8_t key[32];

	memset(key, 3, sizeof(key));
	assert_int_equal(file_make_dir(temp_path(state, "roots"), 0700), CV_OK);
	put(state, "roots/fleet.pub", root_public, sizeof(root_public), 0644);
	put_text(state, "roots/tls.pem", "PEM");
	put(state, "mac.root", key, 32, 0600);
	put(state, "attest.key", key, 32, 0600);
	put_device_json(state, "d1", 4);
	put_share_set(state, "d1", 4);
	put_text(state, "gateways.json",
		"{\"v\":1,\"gateways\":[{\"gateway\":\"g3\",\"address\":\"gw3:7443\"},"
		"{\"gateway\":\"g1\",\"address\":\"127.0.0.1:1\"},"
		"{\"gateway\":\"other\",\"address\":\"127.0.0.1:2\"}]}\n");
}

static enum cv_err load(void **state)
{
	struct identity *id = secret_alloc(sizeof(*id));
	enum cv_err err = identity_load(id, *state);

	secret_free(id);
	return err;
}

static void loads_a_whole_device(void **state)
{
	struct mac_scope scope = { .fleet = "f1", .gateway = "g2", .device = "d1" };
	struct identity *id = secret_alloc(sizeof(*id));
	uint8_t want[CV_MAC_KEY_BYTES];

	put_all(state);
	assert_int_equal(identity_load(id, *state), CV_OK);
	assert_string_equal(id->fleet, "f1");
	assert_string_equal(id->device, "d1");
	assert_int_equal(id->share_set.epoch, 4);
	assert_int_equal(id->share_set.count, 3);
	assert_string_equal(id->addresses[0], "127.0.0.1:1");
	assert_string_equal(id->addresses[1], "");
	assert_string_equal(id->addresses[2], "gw3:7443");
	assert_int_equal(mac_key_derive(want, id->mac_root, &scope), CV_OK);
	assert_memory_equal(id->mac_keys[1], want, sizeof(want));
	secret_free(id);
}

static void every_file_is_needed(void **state)
{
	static const char *const names[] = { "device.json", "share-set.jws", "gateways.json",
		"roots/fleet.pub", "roots/tls.pem", "mac.root", "attest.key" };
	char aside[256];

	put_all(state);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(aside, sizeof(aside), "%s/aside", (char *)*state);
		assert_int_equal(rename(temp_path(state, names[i]), aside), 0);
		assert_int_equal(load(state), CV_ERR_NOT_FOUND);
		assert_int_equal(rename(aside, temp_path(state, names[i])), 0);
	}
	assert_int_equal(load(state), CV_OK);
}

static void a_share_set_of_another_device_or_epoch_is_refused(void **state)
{
	put_all(state);
	put_share_set(state, "d2", 4);
	assert_int_equal(load(state), CV_ERR_SHARE_SET);
	put_share_set(state, "d1", 5);
	assert_int_equal(load(state), CV_ERR_SHARE_SET);
	put_share_set(state, "d1", 4);
	put_device_json(state, "d1", 3);
	assert_int_equal(load(state), CV_ERR_SHARE_SET);
}

static void a_share_set_of_another_fleets_root_is_refused(void **state)
{
	uint8_t other_private[CV_ES256_PRIVATE_BYTES], other_public[CV_ES256_PUBLIC_BYTES];

	put_all(state);
	assert_int_equal(crypto_es256_keypair(other_private, other_public), CV_OK);
	put(state, "roots/fleet.pub", other_public, sizeof(other_public), 0644);
	assert_int_equal(load(state), CV_ERR_SHARE_SET);
}

static void keys_that_others_can_read_are_refused(void **state)
{
	put_all(state);
	assert_int_equal(chmod(temp_path(state, "mac.root"), 0640), 0);
	assert_int_equal(load(state), CV_ERR_PERMISSION);
	assert_int_equal(chmod(temp_path(state, "mac.root"), 0600), 0);
	assert_int_equal(chmod(temp_path(state, "attest.key"), 0604), 0);
	assert_int_equal(load(state), CV_ERR_PERMISSION);
}

static void damaged_files_are_named_as_configuration(void **state)
{
	static const struct {
		const char *name, *text;
	} bad[] = {
		{ "device.json", "{" },
		{ "device.json", "{\"v\":1}" },
		{ "device.json", "{\"v\":2,\"fleet\":\"f1\"}" },
		{ "gateways.json", "{\"v\":1,\"gateways\":[{\"gateway\":\"g1\"}]}" },
		{ "gateways.json", "{\"v\":1,\"gateways\":[{\"gateway\":\"g1\",\"address\":\"x\"}]}" },
		{ "gateways.json", "{\"v\":1,\"v\":1,\"gateways\":[]}" },
		{ "roots/fleet.pub", "short" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_all(state);
		put_text(state, bad[i].name, bad[i].text);
		assert_int_equal(load(state), CV_ERR_CONFIG);
	}
	put_all(state);
	put(state, "mac.root", "short", 5, 0600);
	assert_int_equal(load(state), CV_ERR_CONFIG);
}

static void the_public_half_needs_no_keys(void **state)
{
	struct identity *id = secret_alloc(sizeof(*id));

	put_all(state);
	assert_int_equal(unlink(temp_path(state, "mac.root")), 0);
	assert_int_equal(unlink(temp_path(state, "attest.key")), 0);
	assert_int_equal(identity_load_public(id, *state), CV_OK);
	secret_free(id);
}

#define T(f) cmocka_unit_test_setup_teardown(f, temp_dir_setup, temp_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(loads_a_whole_device),
		T(every_file_is_needed),
		T(a_share_set_of_another_device_or_epoch_is_refused),
		T(a_share_set_of_another_fleets_root_is_refused),
		T(keys_that_others_can_read_are_refused),
		T(damaged_files_are_named_as_configuration),
		T(the_public_half_needs_no_keys),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
