/* What the store does when its file cannot grow: here by a limit on the size of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gateway/store.h"
#include "host/secret.h"
#include "protocol/crypto.h"

#define RESERVE_RECORDS 20000 /* some 12 MiB: more than the WAL, which the limit must not meet */
#define AUDIT_TEXT_BYTES 400
#define BATCH 64

static char directory[] = "/tmp/conclave-room-XXXXXX";
static char path[64];
static struct seal_keys *keys;
static uint8_t private_key[CV_ES256_PRIVATE_BYTES], public_key[CV_ES256_PUBLIC_BYTES];
static struct jws_signer signer;

static struct store *open_store(void)
{
	struct store_config cfg = {.path = path, .gateway = "gw-a", .keys = keys,
		.signer = &signer, .signer_public = public_key,
		.reserve_records = RESERVE_RECORDS};
	char why[STORE_WHY_BUF] = "";
	struct store *s = NULL;
	enum cv_err err = store_create(&cfg, why);

	assert_true(err == CV_OK || err == CV_ERR_EXISTS);
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	return s;
}

static enum store_room write_batch(struct store *s)
{
	char text[AUDIT_TEXT_BYTES + 1];
	enum store_room room;

	memset(text, 'x', AUDIT_TEXT_BYTES);
	text[AUDIT_TEXT_BYTES] = 0;
	assert_int_equal(store_begin(s, &room), CV_OK);
	if (room == STORE_ROOM_NONE) {
		store_rollback(s);
		return room;
	}
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(store_audit_append(s, text, AUDIT_TEXT_BYTES), CV_OK);
	assert_int_equal(store_commit(s, 1764000000, 0), CV_OK);
	store_tidy(s);
	return room;
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void growing_is_rare_and_spares_the_reserve(void **state)
{
	struct store *s = open_store();
	uint64_t least = (uint64_t)RESERVE_RECORDS * 600;
	off_t size = file_size();
	int grown = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(write_batch(s), STORE_ROOM_PLENTY);
		assert_true(store_reserve_bytes(s) >= least);
		grown += file_size() != size;
		size = file_size();
	}
	assert_in_range(grown, 1, 10);
	store_close(s);
}

static void a_full_disk_leaves_the_reserve_to_releases(void **state)
{
	struct store *s = open_store();
	enum store_room room;
	int released = 0;

	(void)state;
	limit_file_size((rlim_t)file_size());
	while ((room = write_batch(s)) == STORE_ROOM_PLENTY)
		;
	assert_int_equal(room, STORE_ROOM_RESERVE);
	while ((room = write_batch(s)) == STORE_ROOM_RESERVE)
		released += BATCH;
	assert_int_equal(room, STORE_ROOM_NONE);
	assert_true(released >= RESERVE_RECORDS);
	limit_file_size(RLIM_INFINITY);
	for (int i = 0; i < 20; i++)
		assert_int_equal(write_batch(s), STORE_ROOM_PLENTY);
	assert_true(store_reserve_bytes(s) >= (uint64_t)RESERVE_RECORDS * 600);
	store_close(s);
	store_close(open_store());
}

static int setup(void **state)
{
	uint8_t store_key[STORE_KEY_BYTES] = {7};

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	if (secret_process_init() != CV_OK || crypto_init() != CV_OK || !mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", directory);
	keys = secret_alloc(sizeof(*keys));
	signer = jws_key_signer(private_key);
	if (!keys || seal_keys_derive(keys, store_key) != CV_OK)
		return -1;
	return crypto_es256_keypair(private_key, public_key) == CV_OK ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	secret_free(keys);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growing_is_rare_and_spares_the_reserve),
		cmocka_unit_test(a_full_disk_leaves_the_reserve_to_releases),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
