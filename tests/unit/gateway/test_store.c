/*
 * The store: what is written comes back, and whatever is changed behind its back is found at the
 * next start, by the keeper too, with a line that names the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "gateway/store.h"
#include "gateway/store_evidence.h"
#include "host/exit_code.h"
#include "protocol/crypto.h"
#include "protocol/lp.h"
#include "tests/unit/gateway/keeper_rig.h"

#define NOW 1800000000

static char directory[] = "/tmp/conclave-store-XXXXXX";
static char path[128];
static struct seal_keys keys;
static uint8_t private_key[CV_ES256_PRIVATE_BYTES], public_key[CV_ES256_PUBLIC_BYTES];
static struct jws_signer signer;

static struct store_config config(void)
{
	const struct store_config cfg = { .path = path, .gateway = "g1", .keys = &keys,
		.signer = &signer, .signer_public = public_key, .reserve_records = 10 };

	return cfg;
}

static enum cv_err try_open(char why[STORE_WHY_BUF])
{
	const struct store_config cfg = config();
	struct store *s = NULL;
	const enum cv_err err = store_open(&s, &cfg, why);

	store_close(s);
	return err;
}

static void put_device(struct store *s, const char *id)
{
	struct record *rec = calloc(1, sizeof(*rec));

	strcpy(rec->device, id);
	rec->state = DEVICE_ACTIVE;
	rec->trust_class = TRUST_SOFTWARE;
	assert_int_equal(store_device_put(s, rec), CV_OK);
	free(rec);
}

static void remove_store(void)
{
	char other[160];

	(void)unlink(path);
	snprintf(other, sizeof(other), "%s-wal", path);
	(void)unlink(other);
}

/* Three devices, a document, five audit records. */
static void make_store(void)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF], text[32];
	struct store *s = NULL;
	enum store_room room;

	remove_store();
	assert_int_equal(store_create(&cfg, why), CV_OK);
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	assert_int_equal(store_begin(s, &room), CV_OK);
	put_device(s, "d1");
	put_device(s, "d2");
	put_device(s, "d3");
	assert_int_equal(store_document_put(s, "list", "text", 4), CV_OK);
	for (int i = 1; i <= 5; i++) {
		snprintf(text, sizeof(text), "{\"n\":%d}", i);
		assert_int_equal(store_audit_append(s, text, strlen(text)), CV_OK);
	}
	assert_int_equal(store_commit(s, NOW, NOW), CV_OK);
	assert_int_equal(store_committed(s)->devices, 3);
	assert_int_equal(store_committed(s)->audit_seq, 5);
	assert_int_equal(store_committed(s)->trusted_time_s, NOW);
	store_close(s);
}

/* As somebody with an SQLite shell would. */
static void edit(const char *sql)
{
	char *message = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A store of an older schema opens as it is, and older programs then leave it alone. */
static void a_store_of_an_older_schema_is_brought_up(void **state)
{
	static const char *const older[] = { "UPDATE meta SET value = '1' WHERE name = 'schema'",
		"UPDATE meta SET value = '2' WHERE name = 'schema'" };
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF];
	struct store *s = NULL;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(older) / sizeof(older[0]); i++) {
		if (i % 2 == 0) {
			make_store();
			edit(older[i / 2]);
		}
		assert_int_equal(store_open(&s, &cfg, why), CV_OK);
		assert_int_equal(store_committed(s)->devices, 3);
		store_close(s);
		edit("UPDATE meta SET value = 'seen' WHERE name = 'schema' AND value <> '3'");
	}
}

/* What a boot measured is on record with its quote; documents from before that are read as well. */
static void the_events_of_a_boot_come_back_and_older_documents_have_none(void **state)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF];
	struct store_evidences *all = calloc(1, sizeof(*all));
	struct store_evidence *one = calloc(1, sizeof(*one));
	uint8_t old[256];
	struct store *s = NULL;
	enum store_room room;
	size_t len = 0;
	struct lp lp;

	(void)state;
	make_store();
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	assert_int_equal(store_begin(s, &room), CV_OK);
	one->reason = REASON_RELEASE;
	one->token_len = 1;
	one->has_quote = true;
	one->quote.attest_len = 1;
	one->quote.has_events = 1;
	one->quote.events.len = 1 + EVENTLOG_ENTRY_BYTES;
	one->quote.events.bytes[1] = 4; /* PCR */
	assert_int_equal(store_evidence_add(s, "d1", all, one), CV_OK);
	assert_int_equal(store_evidence_get(s, "d1", all), CV_OK);
	assert_int_equal(all->count, 1);
	assert_memory_equal(&all->list[0].quote, &one->quote, sizeof(one->quote));

	lp_begin(&lp, old, sizeof(old), "conclave-evidence-v1");
	lp_u64(&lp, 1);
	lp_u64(&lp, NOW);
	lp_text(&lp, "release");
	lp_bytes(&lp, one->nonce, sizeof(one->nonce));
	for (int field = 0; field < 4; field++) /* token, attest, signature, PCRs */
		lp_bytes(&lp, one->token, 0);
	assert_int_equal(lp_end(&lp, &len), CV_OK);
	assert_int_equal(store_document_put(s, "evidence/d2", old, len), CV_OK);
	assert_int_equal(store_evidence_get(s, "d2", all), CV_OK);
	assert_int_equal(all->count, 1);
	assert_int_equal(all->list[0].time_s, NOW);
	assert_false(all->list[0].quote.has_events);
	store_close(s);
	free(all);
	free(one);
}

static void a_dropped_document_is_gone_and_the_sum_holds(void **state)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF], name[STORE_NAME_BUF];
	uint8_t out[16];
	struct store *s = NULL;
	enum store_room room;
	size_t len = 0;

	(void)state;
	make_store();
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	assert_int_equal(store_begin(s, &room), CV_OK);
	assert_int_equal(store_document_put(s, "group/a", "1", 1), CV_OK);
	assert_int_equal(store_document_put(s, "group/b", "2", 1), CV_OK);
	assert_int_equal(store_document_put(s, "grouq", "3", 1), CV_OK);
	assert_int_equal(store_document_drop(s, "list"), CV_OK);
	assert_int_equal(store_document_drop(s, "list"), CV_OK);
	assert_int_equal(store_commit(s, NOW, NOW), CV_OK);
	store_close(s);
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	assert_int_equal(store_document_get(s, "list", out, sizeof(out), &len), CV_ERR_NOT_FOUND);
	assert_int_equal(store_document_next(s, "group/", "", name), CV_OK);
	assert_string_equal(name, "group/a");
	assert_int_equal(store_document_next(s, "group/", "group/a", name), CV_OK);
	assert_string_equal(name, "group/b");
	assert_int_equal(store_document_next(s, "group/", "group/b", name), CV_ERR_NOT_FOUND);
	store_close(s);
}

static void what_is_committed_comes_back(void **state)
{
	const struct store_config cfg = config();
	struct record *rec = calloc(1, sizeof(*rec));
	char why[STORE_WHY_BUF], ids[2][CV_ID_BUF];
	uint8_t text[16];
	struct store *s = NULL;
	size_t len = 0, count = 0;
	bool known = false, more = false;

	(void)state;
	make_store();
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	assert_int_equal(store_committed(s)->devices, 3);
	assert_int_equal(store_device_get(s, "d2", rec, &known), CV_OK);
	assert_true(known);
	assert_string_equal(rec->device, "d2");
	assert_int_equal(rec->revision, store_committed(s)->revision - 2);
	assert_int_equal(store_device_get(s, "d1", rec, &known), CV_OK);
	assert_int_equal(rec->revision, store_committed(s)->revision - 3);
	assert_int_equal(store_device_get(s, "d4", rec, &known), CV_OK);
	assert_false(known);
	assert_string_equal(rec->device, RECORD_DUMMY_ID);
	assert_int_equal(store_document_get(s, "list", text, sizeof(text), &len), CV_OK);
	assert_int_equal(len, 4);
	assert_int_equal(
		store_document_get(s, "other", text, sizeof(text), &len), CV_ERR_NOT_FOUND);
	assert_int_equal(store_device_ids(s, "", ids, 2, &count, &more), CV_OK);
	assert_int_equal(count, 2);
	assert_true(more);
	assert_string_equal(ids[0], "d1");
	assert_int_equal(store_device_ids(s, "d2", ids, 2, &count, &more), CV_OK);
	assert_int_equal(count, 1);
	assert_false(more);
	store_close(s);
	free(rec);
}

static void what_is_rolled_back_is_gone(void **state)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF];
	struct store *s = NULL;
	struct store_state before;
	enum store_room room;

	(void)state;
	make_store();
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	before = *store_committed(s);
	assert_int_equal(store_begin(s, &room), CV_OK);
	put_device(s, "d9");
	assert_int_equal(store_audit_append(s, "{}", 2), CV_OK);
	assert_int_equal(store_staged(s)->devices, 4);
	store_rollback(s);
	assert_memory_equal(store_staged(s), &before, sizeof(before));
	assert_int_equal(store_begin(s, &room), CV_OK);
	put_device(s, "d9");
	store_close(s);
	assert_int_equal(try_open(why), CV_OK);
}

static const struct edit_case {
	const char *sql;
	const char *says; /* part of the line */
	enum cv_err err;
} edits[] = {
	{ "UPDATE device SET sealed = zeroblob(length(sealed)) WHERE id = 'd2'", "device d2",
		CV_ERR_TAMPERED },
	{ "UPDATE device SET sealed = (SELECT sealed FROM device WHERE id = 'd1') WHERE id = 'd2'",
		"device d2", CV_ERR_TAMPERED },
	{ "UPDATE device SET sealed = x'00' WHERE id = 'd3'", "device d3", CV_ERR_TAMPERED },
	{ "UPDATE device SET revision = revision + 1 WHERE id = 'd1'", "device d1",
		CV_ERR_TAMPERED },
	{ "UPDATE device SET revision = 1000000 WHERE id = 'd1'", "device d1", CV_ERR_TAMPERED },
	{ "UPDATE device SET id = 'd4' WHERE id = 'd2'", "device d4", CV_ERR_TAMPERED },
	{ "DELETE FROM device WHERE id = 'd2'", "devices where the header has", CV_ERR_TAMPERED },
	{ "DELETE FROM device WHERE id = '-'", "missing, or older", CV_ERR_TAMPERED },
	{ "UPDATE document SET sealed = zeroblob(44)", "document list", CV_ERR_TAMPERED },
	{ "DELETE FROM document", "missing, or older", CV_ERR_TAMPERED },
	{ "UPDATE header SET sealed = zeroblob(length(sealed))", "header does not open",
		CV_ERR_SEAL },
	{ "DELETE FROM header", "header is missing", CV_ERR_TAMPERED },
	{ "UPDATE header SET audit_seq = 4", "signed audit head", CV_ERR_TAMPERED },
	{ "UPDATE header SET head_sig = zeroblob(64)", "signature", CV_ERR_TAMPERED },
	{ "UPDATE header SET head_time_s = 5", "signature", CV_ERR_TAMPERED },
	{ "UPDATE audit SET text = '{\"n\":33}' WHERE seq = 3", "audit record 3 was changed",
		CV_ERR_TAMPERED },
	{ "UPDATE audit SET head = zeroblob(32) WHERE seq = 3", "audit record 3 was changed",
		CV_ERR_TAMPERED },
	{ "DELETE FROM audit WHERE seq = 2", "audit record 2 is missing", CV_ERR_TAMPERED },
	{ "DELETE FROM audit WHERE seq = 5", "ends at record 4", CV_ERR_TAMPERED },
	{ "DELETE FROM audit", "ends at record 0", CV_ERR_TAMPERED },
	{ "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;"
	  "UPDATE audit SET seq = 3 WHERE seq = 99", "audit record 2 was changed",
		CV_ERR_TAMPERED },
	{ "INSERT INTO audit(seq, text, head) VALUES(6, '{}', zeroblob(32))",
		"audit record 6 was changed", CV_ERR_TAMPERED },
	{ "UPDATE meta SET value = '4' WHERE name = 'schema'", "schema 4", CV_ERR_VERSION },
	{ "DELETE FROM meta WHERE name = 'schema'", "no schema", CV_ERR_VERSION },
	{ "DROP TABLE meta", "meta", CV_ERR_VERSION },
	{ "UPDATE meta SET value = 'g2' WHERE name = 'gateway'", "belongs to gateway g2",
		CV_ERR_MISMATCH },
	{ "DROP TABLE device", "device", CV_ERR_TAMPERED },
	{ "DROP TABLE audit", "audit", CV_ERR_TAMPERED },
};

static void every_edit_is_found_and_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		char why[STORE_WHY_BUF] = "";
		enum cv_err err;

		make_store();
		assert_int_equal(try_open(why), CV_OK);
		edit(edits[i].sql);
		err = try_open(why);
		if (err != edits[i].err || strstr(why, edits[i].says) == NULL)
			print_error("%s: error %d: %s\n", edits[i].sql, err, why);
		assert_int_equal(err, edits[i].err);
		assert_non_null(strstr(why, edits[i].says));
	}
	remove_store();
}

/* A record from an older copy of the same store, valid at its time. */
static void an_older_record_in_a_newer_store_is_found(void **state)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF], attach[320];
	struct store *s = NULL;
	enum store_room room;

	(void)state;
	make_store();
	snprintf(attach, sizeof(attach), "VACUUM INTO '%s/old.db'", directory);
	edit(attach);
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	assert_int_equal(store_begin(s, &room), CV_OK);
	put_device(s, "d2");
	assert_int_equal(store_commit(s, NOW, 0), CV_OK);
	store_close(s);
	snprintf(attach, sizeof(attach),
		"ATTACH '%s/old.db' AS old; UPDATE device SET "
		"(revision, sealed) = (SELECT revision, sealed FROM old.device WHERE id = 'd2') "
		"WHERE id = 'd2'", directory);
	edit(attach);
	assert_int_equal(try_open(why), CV_ERR_TAMPERED);
	assert_non_null(strstr(why, "older than the header"));
	snprintf(attach, sizeof(attach), "%s/old.db", directory);
	(void)unlink(attach);
}

static void another_key_does_not_open_it(void **state)
{
	const uint8_t other[STORE_KEY_BYTES] = {9};
	const struct seal_keys kept = keys;
	char why[STORE_WHY_BUF];

	(void)state;
	make_store();
	assert_int_equal(seal_keys_derive(&keys, other), CV_OK);
	assert_int_equal(try_open(why), CV_ERR_SEAL);
	assert_non_null(strstr(why, "store key"));
	keys = kept;
	assert_int_equal(try_open(why), CV_OK);
}

/* Random bytes over each page in turn: found, or in a page that nothing reads. Never a crash. */
static void damaged_pages_are_refused_or_unused(void **state)
{
	uint8_t junk[4096], page[4096];
	char why[STORE_WHY_BUF];
	unsigned refused = 0;
	struct stat st;
	FILE *f;

	(void)state;
	make_store();
	/* Pages that are in the WAL as well would be read from there: a plain close removes it. */
	edit("SELECT count(*) FROM meta");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(crypto_random(junk, sizeof(junk)), CV_OK);
	for (long at = 0; at < st.st_size && at < 40 * 4096; at += 4096) {
		f = fopen(path, "r+b");
		assert_non_null(f);
		fseek(f, at, SEEK_SET);
		assert_int_equal(fread(page, 1, sizeof(page), f), sizeof(page));
		fseek(f, at, SEEK_SET);
		fwrite(junk, 1, sizeof(junk), f);
		fclose(f);
		refused += try_open(why) != CV_OK;
		f = fopen(path, "r+b");
		fseek(f, at, SEEK_SET);
		fwrite(page, 1, sizeof(page), f);
		fclose(f);
	}
	assert_true(refused >= 5);
	assert_int_equal(try_open(why), CV_OK);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
	char why[STORE_WHY_BUF];
	FILE *f;

	(void)state;
	remove_store();
	assert_int_equal(try_open(why), CV_ERR_NOT_FOUND);
	f = fopen(path, "wb");
	fputs("this is a text and not a database, and it is long enough to be looked at: "
	      "one hundred and more bytes of it", f);
	fclose(f);
	assert_int_equal(try_open(why), CV_ERR_TAMPERED);
	remove_store();
	edit("CREATE TABLE t(a)");
	assert_int_equal(try_open(why), CV_ERR_VERSION);
	remove_store();
}

static void two_keepers_cannot_share_it(void **state)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF];
	struct store *s = NULL;

	(void)state;
	make_store();
	assert_int_equal(store_open(&s, &cfg, why), CV_OK);
	/* POSIX locks are the process's: the second one is a child. */
	fflush(NULL);
	if (fork() == 0)
		_exit(try_open(why) == CV_ERR_BUSY ? 0 : 1);
	else {
		int status = 1;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	store_close(s);
}

static void a_store_is_made_once(void **state)
{
	const struct store_config cfg = config();
	char why[STORE_WHY_BUF];

	(void)state;
	make_store();
	assert_int_equal(store_create(&cfg, why), CV_ERR_EXISTS);
	assert_int_equal(try_open(why), CV_OK);
}

/* The keeper says why and ends with the code for it, before it answers anything. */
static void the_keeper_does_not_start_on_a_bad_store(void **state)
{
	static const struct {
		const char *sql;
		int code;
	} cases[] = {
		{ "UPDATE device SET sealed = zeroblob(100) WHERE id = 'd1'", EXIT_CODE_TAMPERED },
		{ "DELETE FROM audit WHERE seq = 1", EXIT_CODE_TAMPERED },
		{ "UPDATE header SET sealed = zeroblob(100)", EXIT_CODE_TAMPERED },
		{ "UPDATE meta SET value = '7' WHERE name = 'schema'", EXIT_CODE_VERSION },
		{ "UPDATE meta SET value = 'g9' WHERE name = 'gateway'", EXIT_CODE_CONFIG },
	};
	char kept[128];

	(void)state;
	strcpy(kept, path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig = rig_enrolled();

		assert_int_equal(rig_stop(rig), 0);
		snprintf(path, sizeof(path), "%s", rig->store);
		edit(cases[i].sql);
		assert_false(rig_start(rig));
		assert_int_equal(rig_wait(rig), cases[i].code);
		rig_free(rig);
	}
	strcpy(path, kept);
}

static int set_up(void **state)
{
	uint8_t key[STORE_KEY_BYTES] = {3};

	if (rig_process_init(state) != 0 || mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", directory);
	signer = jws_key_signer(private_key);
	return crypto_es256_keypair(private_key, public_key) == CV_OK &&
			seal_keys_derive(&keys, key) == CV_OK
		? 0
		: -1;
}

static int tear_down(void **state)
{
	(void)state;
	remove_store();
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_committed_comes_back),
		cmocka_unit_test(a_store_of_an_older_schema_is_brought_up),
		cmocka_unit_test(the_events_of_a_boot_come_back_and_older_documents_have_none),
		cmocka_unit_test(a_dropped_document_is_gone_and_the_sum_holds),
		cmocka_unit_test(what_is_rolled_back_is_gone),
		cmocka_unit_test(every_edit_is_found_and_named),
		cmocka_unit_test(an_older_record_in_a_newer_store_is_found),
		cmocka_unit_test(another_key_does_not_open_it),
		cmocka_unit_test(damaged_pages_are_refused_or_unused),
		cmocka_unit_test(a_file_that_is_no_store_is_refused),
		cmocka_unit_test(two_keepers_cannot_share_it),
		cmocka_unit_test(a_store_is_made_once),
		cmocka_unit_test(the_keeper_does_not_start_on_a_bad_store),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
