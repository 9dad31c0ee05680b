#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/anchor.h"
#include "protocol/crypto.h"

static struct identity *make_identity(void)
{
	struct identity *id = calloc(1, sizeof(*id));

	assert_int_equal(crypto_init(), CV_OK);
	strcpy(id->fleet, "f1");
	strcpy(id->device, "d1");
	memset(id->share_set.volume_id, 5, CV_VOLUME_ID_BYTES);
	memset(id->mac_root, 9, CV_MAC_ROOT_BYTES);
	return id;
}

static void reads_what_it_made(void **state)
{
	static const uint64_t generations[] = { 1, 7, 1000000, CV_JSON_INTEGER_MAX };
	struct identity *id = make_identity();
	char text[MESSAGE_ANCHOR_MAX + 1];
	uint64_t got = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(generations) / sizeof(generations[0]); i++) {
		assert_int_equal(anchor_make(text, id, generations[i]), CV_OK);
		assert_int_equal(strcspn(text, " \t\n"), strlen(text));
		assert_int_equal(anchor_read(&got, id, text), CV_OK);
		assert_int_equal(got, generations[i]);
	}
	free(id);
}

/* HKDF by Python's cryptography over the document's own words. */
static void matches_an_independent_computation(void **state)
{
	struct identity *id = make_identity();
	char text[MESSAGE_ANCHOR_MAX + 1];

	(void)state;
	assert_int_equal(anchor_make(text, id, 123), CV_OK);
	assert_string_equal(text, "1.123.vdZuIn-LWqiXFnnaN4q9vFClgL-UP4PAdi8rvVP9hAI");
	free(id);
}

static void refuses_every_changed_character_and_truncation(void **state)
{
	struct identity *id = make_identity();
	char text[MESSAGE_ANCHOR_MAX + 1], changed[MESSAGE_ANCHOR_MAX + 2];
	uint64_t got = 77;

	(void)state;
	assert_int_equal(anchor_make(text, id, 123), CV_OK);
	for (size_t i = 0; i < strlen(text); i++) {
		strcpy(changed, text);
		changed[i] = text[i] == '2' ? '3' : '2';
		assert_int_not_equal(anchor_read(&got, id, changed), CV_OK);
		strcpy(changed, text);
		changed[i] = '\0';
		assert_int_not_equal(anchor_read(&got, id, changed), CV_OK);
	}
	snprintf(changed, sizeof(changed), "%sA", text);
	assert_int_equal(anchor_read(&got, id, changed), CV_ERR_MAC);
	snprintf(changed, sizeof(changed), "1.0%s", text + 2); /* another form of one number */
	assert_int_equal(anchor_read(&got, id, changed), CV_ERR_FORMAT);
	assert_int_equal(got, 77);
	free(id);
}

static void refuses_the_anchor_of_another_device_volume_or_key(void **state)
{
	struct identity *id = make_identity();
	char text[MESSAGE_ANCHOR_MAX + 1];
	uint64_t got = 77;

	(void)state;
	assert_int_equal(anchor_make(text, id, 123), CV_OK);
	id->device[1] = '2';
	assert_int_equal(anchor_read(&got, id, text), CV_ERR_MAC);
	id->device[1] = '1';
	id->share_set.volume_id[0] ^= 1;
	assert_int_equal(anchor_read(&got, id, text), CV_ERR_MAC);
	id->share_set.volume_id[0] ^= 1;
	id->mac_root[31] ^= 1;
	assert_int_equal(anchor_read(&got, id, text), CV_ERR_MAC);
	id->mac_root[31] ^= 1;
	assert_int_equal(anchor_read(&got, id, text), CV_OK);
	free(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_made),
		cmocka_unit_test(matches_an_independent_computation),
		cmocka_unit_test(refuses_every_changed_character_and_truncation),
		cmocka_unit_test(refuses_the_anchor_of_another_device_volume_or_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
