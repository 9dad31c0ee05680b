/* A volume as a whole, in memory: made, opened, filled, closed, refused. */
#include "tests/unit/fs/support.h"

static void round_trips_a_file(void **state)
{
	struct image *image = image_new(VOLUME_SIZE_MIN);
	struct volume *v = image_open(image);
	uint8_t data[100000];
	uint8_t back[100000];
	size_t got;

	(void)state;
	fill_pattern(data, sizeof(data), 1);
	put_file(v, "/a", data, sizeof(data));
	assert_int_equal(volume_close(v), CV_OK);
	v = image_open(image);
	assert_int_equal(volume_read(v, "/a", 0, back, sizeof(back), &got), CV_OK);
	assert_int_equal(got, sizeof(data));
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(volume_close(v), CV_OK);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips_a_file),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
