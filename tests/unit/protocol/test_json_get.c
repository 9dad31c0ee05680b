#include "protocol/json_get.h"

#include "tests/unit/protocol/check.h"

#include <cjson/cJSON.h>

static struct cJSON *parse(const char *text)
{
	struct cJSON *tree = NULL;

	assert_int_equal(json_parse(&tree, text, strlen(text), CV_BODY_MAX), CV_OK);
	return tree;
}

static void getters_check_the_type(void **state)
{
	struct cJSON *tree = parse("{\"t\":\"x\",\"n\":5,\"o\":{},\"l\":[1,2],\"b\":false,\"z\":null}");
	static const char *const names[] = {"t", "n", "o", "l", "b", "z", "missing", "T"};
	const struct cJSON *found;
	char text[8];
	const char *ref;
	uint64_t u;
	int64_t i;
	size_t n;
	int flag;

	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		const char *name = names[k];

		assert_int_equal(json_get_text(tree, name, text, sizeof(text)),
			k == 0 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(
			json_get_text_ref(tree, name, &ref, &n), k == 0 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(
			json_get_u64(tree, name, 0, 9, &u), k == 1 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(
			json_get_i64(tree, name, -9, 9, &i), k == 1 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(
			json_get_object(tree, name, &found), k == 2 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(
			json_get_array(tree, name, &found, &n), k == 3 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(
			json_get_bool(tree, name, &flag), k == 4 ? CV_OK : CV_ERR_TYPE);
		assert_int_equal(json_has(tree, name), k < 6);
	}
	assert_int_equal(u, 5);
	assert_int_equal(i, 5);
	assert_int_equal(n, 2);
	assert_int_equal(flag, 0);
	json_free(tree);
}

static void numbers_keep_to_their_bounds(void **state)
{
	struct cJSON *tree = parse("{\"a\":9007199254740991,\"b\":-9007199254740991,\"c\":256,\"d\":0}");
	uint64_t u = 42;
	int64_t i = 42;

	(void)state;
	assert_int_equal(json_get_u64(tree, "c", 0, 255, &u), CV_ERR_RANGE);
	assert_int_equal(json_get_u64(tree, "d", 1, 255, &u), CV_ERR_RANGE);
	assert_int_equal(json_get_u64(tree, "b", 0, UINT64_MAX, &u), CV_ERR_RANGE);
	assert_int_equal(json_get_i64(tree, "b", -5, 5, &i), CV_ERR_RANGE);
	assert_int_equal(u, 42);
	assert_int_equal(i, 42);
	assert_int_equal(json_get_u64(tree, "a", 0, UINT64_MAX, &u), CV_OK);
	assert_true(u == CV_JSON_INTEGER_MAX);
	assert_int_equal(json_get_i64(tree, "b", INT64_MIN, INT64_MAX, &i), CV_OK);
	assert_true(i == -(int64_t)CV_JSON_INTEGER_MAX);
	json_free(tree);
}

static void texts_keep_to_their_buffer(void **state)
{
	struct cJSON *tree = parse("{\"t\":\"1234\",\"e\":\"\"}");
	char out[5] = "kept";

	(void)state;
	assert_int_equal(json_get_text(tree, "t", out, 4), CV_ERR_TOO_LONG);
	assert_string_equal(out, "kept");
	assert_int_equal(json_get_text(tree, "t", out, 5), CV_OK);
	assert_string_equal(out, "1234");
	assert_int_equal(json_get_text(tree, "e", out, 1), CV_OK);
	assert_string_equal(out, "");
	json_free(tree);
}

static void ids_and_bytes_are_checked(void **state)
{
	struct cJSON *tree = parse("{\"i\":\"gw-1\",\"I\":\"GW\",\"b\":\"AQID\",\"c\":\"AQI=\"}");
	char id[CV_ID_BUF];
	uint8_t bytes[4];

	(void)state;
	assert_int_equal(json_get_id(tree, "i", id), CV_OK);
	assert_string_equal(id, "gw-1");
	assert_int_equal(json_get_id(tree, "I", id), CV_ERR_FORMAT);
	assert_int_equal(json_get_bytes(tree, "b", bytes, 3), CV_OK);
	assert_memory_equal(bytes, "\1\2\3", 3);
	assert_int_equal(json_get_bytes(tree, "b", bytes, 4), CV_ERR_TYPE);
	assert_int_equal(json_get_bytes(tree, "b", bytes, 2), CV_ERR_TYPE);
	assert_int_equal(json_get_bytes(tree, "c", bytes, 3), CV_ERR_FORMAT);
	json_free(tree);
}

static void bytes_keep_to_their_bound(void **state)
{
	struct cJSON *tree = parse("{\"b\":\"AQID\",\"e\":\"\",\"c\":\"AQI=\",\"n\":3}");
	uint8_t bytes[4];
	size_t len = 42;

	(void)state;
	assert_int_equal(json_get_bytes_max(tree, "b", bytes, 2, &len), CV_ERR_TOO_LONG);
	assert_int_equal(json_get_bytes_max(tree, "c", bytes, 4, &len), CV_ERR_FORMAT);
	assert_int_equal(json_get_bytes_max(tree, "n", bytes, 4, &len), CV_ERR_TYPE);
	assert_int_equal(json_get_bytes_max(tree, "missing", bytes, 4, &len), CV_ERR_TYPE);
	assert_int_equal(len, 42);
	assert_int_equal(json_get_bytes_max(tree, "b", bytes, 3, &len), CV_OK);
	assert_int_equal(len, 3);
	assert_memory_equal(bytes, "\1\2\3", 3);
	assert_int_equal(json_get_bytes_max(tree, "b", bytes, 4, &len), CV_OK);
	assert_int_equal(len, 3);
	assert_int_equal(json_get_bytes_max(tree, "e", bytes, 4, &len), CV_OK);
	assert_int_equal(len, 0);
	json_free(tree);
}

static void only_names_unknown_members(void **state)
{
	static const char *const names[] = {"a", "b", NULL};
	struct cJSON *tree = parse("{\"a\":1,\"b\":2}");

	(void)state;
	assert_int_equal(json_only(tree, names), CV_OK);
	json_free(tree);
	tree = parse("{\"a\":1,\"B\":2}");
	assert_int_equal(json_only(tree, names), CV_ERR_TYPE);
	json_free(tree);
	tree = parse("{}");
	assert_int_equal(json_only(tree, names), CV_OK);
	json_free(tree);
}

static void only_version_1_is_known(void **state)
{
	static const struct {
		const char *text;
		enum cv_err err;
	} cases[] = {{"{\"v\":1,\"a\":2}", CV_OK}, {"{\"v\":2}", CV_ERR_RANGE},
		{"{\"v\":0}", CV_ERR_RANGE}, {"{\"v\":\"1\"}", CV_ERR_TYPE},
		{"{\"a\":2}", CV_ERR_TYPE}, {"{\"v\":1,\"b\":2}", CV_ERR_TYPE}};
	static const char *const names[] = {"v", "a", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cJSON *tree = parse(cases[i].text);

		assert_int_equal(json_only_v1(tree, names), cases[i].err);
		json_free(tree);
	}
}

static char *secret_at;
static int seen_at_free;

static void watching_free(void *p)
{
	if (p != NULL && p == secret_at)
		seen_at_free = memcmp(p, "hidden", 6) == 0 ? 2 : 1;
	free(p);
}

static void free_wipes_texts_first(void **state)
{
	cJSON_Hooks watching = {malloc, watching_free};
	struct cJSON *tree;
	const char *text;
	size_t len;

	(void)state;
	cJSON_InitHooks(&watching);
	tree = parse("{\"a\":[{\"s\":\"hidden\"}]}");
	assert_int_equal(json_get_text_ref(cJSON_GetArrayItem(cJSON_GetObjectItem(tree, "a"), 0), "s",
				 &text, &len),
		CV_OK);
	secret_at = (char *)(uintptr_t)text;
	json_free(tree);
	cJSON_InitHooks(NULL);
	assert_int_equal(seen_at_free, 1);
	json_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(getters_check_the_type),
		cmocka_unit_test(numbers_keep_to_their_bounds),
		cmocka_unit_test(texts_keep_to_their_buffer),
		cmocka_unit_test(ids_and_bytes_are_checked),
		cmocka_unit_test(bytes_keep_to_their_bound),
		cmocka_unit_test(only_names_unknown_members),
		cmocka_unit_test(only_version_1_is_known),
		cmocka_unit_test(free_wipes_texts_first),
	};

	return cmocka_run_group_tests(tests, crypto_start, NULL);
}
