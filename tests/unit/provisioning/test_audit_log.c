#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/file.h"
#include "protocol/audit_chain.h"
#include "provisioning/audit_log.h"
#include "tests/unit/support/temp_dir.h"

#define RECORDS 6

static void fill(struct audit_log *log, uint8_t heads[RECORDS + 1][CV_HASH_BYTES])
{
	char text[64];

	memset(heads[0], 0, CV_HASH_BYTES);
	for (uint64_t i = 1; i <= RECORDS; i++) {
		snprintf(text, sizeof(text), "{\"n\":%llu}", (unsigned long long)i);
		assert_int_equal(audit_log_add(log, text, strlen(text)), CV_OK);
		memcpy(heads[i], heads[i - 1], CV_HASH_BYTES);
		assert_int_equal(audit_chain_next(heads[i], "g1", i, text, strlen(text)), CV_OK);
	}
}

static enum cv_err verify(const struct audit_log *log, uint64_t seq, const uint8_t *head)
{
	char problem[160] = "";
	enum cv_err err = audit_log_verify(log, "g1", seq, head, problem, sizeof(problem));

	assert_true((err == CV_OK) == (problem[0] == '\0'));
	return err;
}

static void a_true_log_verifies_against_each_of_its_heads(void **state)
{
	struct audit_log log = {NULL, 0, 0};
	uint8_t heads[RECORDS + 1][CV_HASH_BYTES];

	(void)state;
	fill(&log, heads);
	for (uint64_t i = 0; i <= RECORDS; i++)
		assert_int_equal(verify(&log, i, heads[i]), CV_OK);
	audit_log_free(&log);
}

static void finds_an_edit_of_any_record(void **state)
{
	struct audit_log log = {NULL, 0, 0};
	uint8_t heads[RECORDS + 1][CV_HASH_BYTES];

	(void)state;
	fill(&log, heads);
	for (size_t i = 0; i < RECORDS; i++) {
		log.texts[i][2] ^= 1;
		assert_int_equal(verify(&log, RECORDS, heads[RECORDS]), CV_ERR_TAMPERED);
		log.texts[i][2] ^= 1;
	}
	audit_log_free(&log);
}

static void finds_a_deletion_and_a_cut_tail(void **state)
{
	struct audit_log log = {NULL, 0, 0};
	uint8_t heads[RECORDS + 1][CV_HASH_BYTES];

	(void)state;
	fill(&log, heads);
	log.count--;
	assert_int_equal(verify(&log, RECORDS, heads[RECORDS]), CV_ERR_TAMPERED);
	log.count++;
	free(log.texts[2]);
	memmove(&log.texts[2], &log.texts[3], (RECORDS - 3) * sizeof(log.texts[0]));
	log.count--;
	assert_int_equal(verify(&log, RECORDS, heads[RECORDS]), CV_ERR_TAMPERED);
	assert_int_equal(verify(&log, RECORDS - 1, heads[RECORDS - 1]), CV_ERR_TAMPERED);
	audit_log_free(&log);
}

static void finds_any_two_neighbours_swapped(void **state)
{
	struct audit_log log = {NULL, 0, 0};
	uint8_t heads[RECORDS + 1][CV_HASH_BYTES];

	(void)state;
	fill(&log, heads);
	for (size_t i = 0; i + 1 < RECORDS; i++) {
		char *first = log.texts[i];

		log.texts[i] = log.texts[i + 1];
		log.texts[i + 1] = first;
		assert_int_equal(verify(&log, RECORDS, heads[RECORDS]), CV_ERR_TAMPERED);
		log.texts[i + 1] = log.texts[i];
		log.texts[i] = first;
	}
	audit_log_free(&log);
}

static void another_gateways_log_is_not_this_ones(void **state)
{
	struct audit_log log = {NULL, 0, 0};
	uint8_t heads[RECORDS + 1][CV_HASH_BYTES];
	char problem[160];

	(void)state;
	fill(&log, heads);
	assert_int_equal(audit_log_verify(&log, "g2", RECORDS, heads[RECORDS], problem,
				 sizeof(problem)),
		CV_ERR_TAMPERED);
	audit_log_free(&log);
}

static void a_file_gives_its_lines(void **state)
{
	const char *path = temp_path(state, "log");
	struct audit_log log = {NULL, 0, 0};

	assert_int_equal(file_write_atomic(path, "{\"a\":1}\n{\"b\":2}\n", 16, 0600), CV_OK);
	assert_int_equal(audit_log_read_file(&log, path), CV_OK);
	assert_int_equal(log.count, 2);
	assert_string_equal(log.texts[1], "{\"b\":2}");
	audit_log_free(&log);
	assert_int_equal(audit_log_add(&log, "a\nb", 3), CV_ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_true_log_verifies_against_each_of_its_heads),
		cmocka_unit_test(finds_an_edit_of_any_record),
		cmocka_unit_test(finds_a_deletion_and_a_cut_tail),
		cmocka_unit_test(finds_any_two_neighbours_swapped),
		cmocka_unit_test(another_gateways_log_is_not_this_ones),
		cmocka_unit_test(a_file_gives_its_lines),
	};

	return cmocka_run_group_tests(tests, temp_dir_setup, temp_dir_teardown);
}
