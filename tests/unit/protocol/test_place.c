#include "protocol/place.h"

#include "tests/unit/protocol/check.h"
#include "tests/vectors/place_vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define E7 10000000

static struct place_polygon polygon_of(const struct place_point *corners, size_t count)
{
	struct place_polygon p = {corners, count, {{0, 0}, {0, 0}}};

	place_box(p.box, corners, count);
	return p;
}

static void circles_agree_with_the_reference(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(place_circles); i++) {
		const struct place_circle_case *c = &place_circles[i];
		const uint64_t mm = place_distance_mm(&c->circle.centre, &c->claim.at);
		const uint64_t off = mm > c->distance_mm ? mm - c->distance_mm : c->distance_mm - mm;

		if (place_in_circle(&c->circle, &c->claim) != c->inside || off > 100)
			print_error("circle %zu: %llu mm, %llu expected\n", i,
				(unsigned long long)mm, (unsigned long long)c->distance_mm);
		assert_int_equal(place_in_circle(&c->circle, &c->claim), c->inside);
		assert_true(off <= 100);
		if (!c->inside) {
			const uint64_t over = c->distance_mm + c->claim.accuracy_mm -
				(uint64_t)c->circle.radius_m * 1000;

			assert_in_range(place_circle_excess_mm(&c->circle, &c->claim), over - 100,
				over + 100);
		}
	}
}

static void polygons_agree_with_the_reference(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(place_polygons); i++) {
		const struct place_polygon_case *c = &place_polygons[i];
		const struct place_polygon p = polygon_of(c->corners, c->count);

		assert_int_equal(place_polygon_check(c->corners, c->count), PLACE_GOOD);
		if (place_in_polygon(&p, &c->claim) != c->inside)
			print_error("polygon %zu\n", i);
		assert_int_equal(place_in_polygon(&p, &c->claim), c->inside);
		if (!c->inside) /* 1 % and the arithmetic */
			assert_in_range(place_polygon_excess_mm(&p, &c->claim),
				(uint64_t)c->over_mm * 99 / 100 - 100,
				(uint64_t)c->over_mm * 101 / 100 + 100);
	}
}

static void the_ends_of_the_globe_are_no_ends(void **state)
{
	static const struct place_circle across = {{0, 1799999999}, 1000};
	static const struct place_circle pole = {{900000000, 0}, 1000};
	static const struct place_circle all = {{0, 0}, PLACE_RADIUS_MAX_M};
	const struct place_claim west = {{0, -1799999999}, 0};
	const struct place_claim near_pole = {{899999000, 1234567890}, 0};
	const struct place_claim south = {{-900000000, 0}, 0};
	const struct place_claim far = {{0, 1800000000}, 0};

	(void)state;
	assert_int_equal(place_in_circle(&across, &west), 1);
	assert_int_equal(place_in_circle(&pole, &near_pole), 1);
	assert_int_equal(place_in_circle(&pole, &south), 0);
	assert_int_equal(place_in_circle(&all, &south), 1);
	/* half the way round is 20,015 km */
	assert_int_equal(place_in_circle(&all, &far), 0);
	assert_in_range(place_circle_excess_mm(&all, &far), 15114000, 15115000);
}

static void the_boundary_belongs_to_the_area(void **state)
{
	static const struct place_point square[] = {
		{0, 0}, {0, E7 / 10}, {E7 / 10, E7 / 10}, {E7 / 10, 0}};
	const struct place_polygon p = polygon_of(square, 4);
	struct place_claim claim = {{0, 5000}, 0};

	(void)state;
	assert_int_equal(place_in_polygon(&p, &claim), 1);
	claim.at.lat_e7 = E7 / 10;
	assert_int_equal(place_in_polygon(&p, &claim), 1);
	claim.at.lat_e7 = E7 / 10 + 1;
	assert_int_equal(place_in_polygon(&p, &claim), 0);
	claim.at = square[2];
	assert_int_equal(place_in_polygon(&p, &claim), 1);
	claim.accuracy_mm = 100;
	assert_int_equal(place_in_polygon(&p, &claim), 0);
	assert_true(place_polygon_excess_mm(&p, &claim) >= 1);
}

static void an_accuracy_wider_than_the_area_is_never_inside(void **state)
{
	static const struct place_point square[] = {{0, 0}, {0, E7}, {E7, E7}, {E7, 0}};
	const struct place_polygon p = polygon_of(square, 4);
	const struct place_circle circle = {{E7 / 2, E7 / 2}, 50000};
	struct place_claim claim = {{E7 / 2, E7 / 2}, UINT32_MAX};

	(void)state;
	assert_int_equal(place_in_polygon(&p, &claim), 0);
	assert_int_equal(place_in_circle(&circle, &claim), 0);
	claim.accuracy_mm = 50001000;
	assert_int_equal(place_in_circle(&circle, &claim), 0);
	claim.accuracy_mm = 49999000;
	assert_int_equal(place_in_circle(&circle, &claim), 1);
	assert_int_equal(place_in_polygon(&p, &claim), 1);
	claim.at.lat_e7 = 899999999;
	claim.at.lon_e7 = 1800000000;
	assert_int_equal(place_in_polygon(&p, &claim), 0);
	assert_true(place_polygon_excess_mm(&p, &claim) > 9000000000);
}

static void what_is_no_polygon_is_refused(void **state)
{
	static const struct {
		struct place_point corners[6];
		size_t count;
		enum place_fault fault;
	} cases[] = {
		{{{0, 0}, {0, 5}}, 2, PLACE_TOO_FEW},
		{{{0, 0}, {0, 5}, {900000001, 0}}, 3, PLACE_RANGE},
		{{{0, 0}, {0, -1800000001}, {5, 0}}, 3, PLACE_RANGE},
		/* 179 east to 179 west, and a world wide one */
		{{{0, 1790000000}, {0, -1790000000}, {E7, -1790000000}, {E7, 1790000000}}, 4,
			PLACE_TOO_WIDE},
		{{{0, -900000001}, {0, 900000000}, {5, 0}}, 3, PLACE_TOO_WIDE},
		{{{0, -900000000}, {0, 900000000}, {5, 0}}, 3, PLACE_GOOD},
		/* closed, a bow tie, a spike, a line, a corner on an edge, two that touch */
		{{{0, 0}, {0, E7}, {E7, E7}, {0, 0}}, 4, PLACE_REPEATED},
		{{{0, 0}, {E7, E7}, {0, E7}, {E7, 0}}, 4, PLACE_CROSSING},
		{{{0, 0}, {0, E7}, {0, E7 / 2}, {E7, E7}}, 4, PLACE_CROSSING},
		{{{0, 0}, {0, E7}, {0, 2 * E7}}, 3, PLACE_CROSSING},
		{{{0, 0}, {0, 4 * E7}, {E7, 2 * E7}, {0, 2 * E7}, {E7, E7}}, 5, PLACE_CROSSING},
		{{{0, 0}, {E7, 0}, {2 * E7, 0}, {2 * E7, E7}, {0, E7}}, 5, PLACE_GOOD},
		{{{0, 0}, {0, E7}, {E7, E7}, {E7, 2 * E7}, {-E7, 0}, {5, 5}}, 6, PLACE_CROSSING},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum place_fault fault = place_polygon_check(cases[i].corners, cases[i].count);

		if (fault != cases[i].fault)
			print_error("polygon %zu: %d\n", i, (int)fault);
		assert_int_equal(fault, cases[i].fault);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circles_agree_with_the_reference),
		cmocka_unit_test(polygons_agree_with_the_reference),
		cmocka_unit_test(the_ends_of_the_globe_are_no_ends),
		cmocka_unit_test(the_boundary_belongs_to_the_area),
		cmocka_unit_test(an_accuracy_wider_than_the_area_is_never_inside),
		cmocka_unit_test(what_is_no_polygon_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
