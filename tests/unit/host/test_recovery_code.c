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

#include "protocol/crypto.h"
#include "host/recovery_code.h"
#include "tests/unit/support/temp_dir.h"

static void every_code_comes_back(void **state)
{
	uint8_t code[RECOVERY_CODE_BYTES], back[RECOVERY_CODE_BYTES];
	char text[RECOVERY_CODE_BUF];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(crypto_random(code, sizeof(code)), CV_OK);
		assert_int_equal(recovery_code_text(text, code), CV_OK);
		assert_int_equal(strlen(text), RECOVERY_CODE_BUF - 1);
		assert_int_equal(recovery_code_parse(back, text, strlen(text)), CV_OK);
		assert_memory_equal(back, code, sizeof(code));
	}
}

static void the_text_is_base32_of_code_and_check(void **state)
{
	/* python: base64.b32encode(bytes(range(32)) + hashlib.sha256(bytes(range(32))).digest()[:2]) */
	static const char known[] =
		"AAAQE-AYEAU-DAOCA-JBIFQ-YDIOB-4IBCE-QTCQK-RMFYY-DENBW-HA5DY-PWGDI";
	uint8_t code[RECOVERY_CODE_BYTES];
	char text[RECOVERY_CODE_BUF];

	(void)state;
	for (uint8_t i = 0; i < sizeof(code); i++)
		code[i] = i;
	assert_int_equal(recovery_code_text(text, code), CV_OK);
	assert_string_equal(text, known);
}

static void takes_lower_case_and_any_separators(void **state)
{
	uint8_t code[RECOVERY_CODE_BYTES] = {7}, back[RECOVERY_CODE_BYTES];
	char text[RECOVERY_CODE_BUF];

	(void)state;
	assert_int_equal(recovery_code_text(text, code), CV_OK);
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '-')
			text[i] = i % 2 == 0 ? ' ' : '\t';
		else if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
	}
	assert_int_equal(recovery_code_parse(back, text, strlen(text)), CV_OK);
	assert_memory_equal(back, code, sizeof(code));
}

static void notices_every_mistyped_character(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t code[RECOVERY_CODE_BYTES], back[RECOVERY_CODE_BYTES];
	char text[RECOVERY_CODE_BUF];
	int slipped = 0, tried = 0;

	(void)state;
	memset(code, 0x5a, sizeof(code));
	assert_int_equal(recovery_code_text(text, code), CV_OK);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char right = text[i];

		for (size_t k = 0; right != '-' && k < 32; k++) {
			text[i] = alphabet[k];
			if (text[i] == right)
				continue;
			tried++;
			slipped += recovery_code_parse(back, text, strlen(text)) == CV_OK;
		}
		text[i] = right;
	}
	/* a check of 16 bits lets one in 65,536 through; this code is fixed, and none is */
	assert_int_equal(tried, 55 * 31);
	assert_int_equal(slipped, 0);
}

static void refuses_other_lengths_and_characters(void **state)
{
	uint8_t code[RECOVERY_CODE_BYTES] = {1}, back[RECOVERY_CODE_BYTES], zero[32] = {0};
	char text[RECOVERY_CODE_BUF + 1];

	(void)state;
	assert_int_equal(recovery_code_text(text, code), CV_OK);
	for (size_t len = 0; len < strlen(text); len++) {
		memset(back, 1, sizeof(back));
		assert_int_equal(recovery_code_parse(back, text, len), CV_ERR_FORMAT);
		assert_memory_equal(back, zero, sizeof(back));
	}
	strcat(text, "A");
	assert_int_equal(recovery_code_parse(back, text, strlen(text)), CV_ERR_FORMAT);
	text[strlen(text) - 1] = '\0';
	for (const char *c = "018!_"; *c != '\0'; c++) {
		text[3] = *c;
		assert_int_equal(recovery_code_parse(back, text, strlen(text)), CV_ERR_FORMAT);
	}
	assert_int_equal(recovery_code_parse(back, "\0", 1), CV_ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_comes_back),
		cmocka_unit_test(the_text_is_base32_of_code_and_check),
		cmocka_unit_test(takes_lower_case_and_any_separators),
		cmocka_unit_test(notices_every_mistyped_character),
		cmocka_unit_test(refuses_other_lengths_and_characters),
	};

	return cmocka_run_group_tests(tests, temp_dir_setup, temp_dir_teardown);
}
