#include "protocol/place.h"

#define Q 30 /* fractions have 30 bits behind the point */
#define ONE (INT64_C(1) << Q)
#define QUARTER_E7 900000000 /* 90 degrees */
/* pi / (1.8 * 10^9), 60 bits behind the point: radians in 10^-7 degrees */
#define RADIANS_Q60 INT64_C(2012227627)
/* of a great circle: nanometres in 10^-7 degrees */
#define NM_PER_E7 UINT64_C(11119508)
#define NM_PER_MM 1000000

static int64_t times(int64_t a, int64_t b)
{
	return (a * b + ONE / 2) >> Q; /* all fractions here are >= 0 */
}

/* 0 .. 90 degrees. Taylor to x^13: the next term is 0.7 of the last bit at 90 degrees. */
static int64_t sine(int64_t e7)
{
	const int64_t x = (e7 * RADIANS_Q60 + ONE / 2) >> Q;
	const int64_t square = times(x, x);
	int64_t sum = ONE;

	for (int64_t n = 12; n >= 2; n -= 2)
		sum = ONE - times(square, sum) / (n * (n + 1));
	return times(x, sum);
}

static int64_t cosine(int64_t lat_e7)
{
	return sine(QUARTER_E7 - (lat_e7 < 0 ? -lat_e7 : lat_e7));
}

static uint64_t root(uint64_t value)
{
	uint64_t out = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit != 0; bit >>= 1) {
		if ((out | bit) * (out | bit) <= value)
			out |= bit;
	}
	return out;
}

static int64_t apart(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

/* sin^2 of half the angle between two points, 60 bits behind the point (haversine). */
static int64_t half_sine_square(const struct place_point *a, const struct place_point *b)
{
	const int64_t lat = apart(a->lat_e7, b->lat_e7);
	int64_t lon = apart(a->lon_e7, b->lon_e7);
	int64_t s, along, east;

	if (lon > PLACE_LON_MAX_E7)
		lon = 2 * (int64_t)PLACE_LON_MAX_E7 - lon;
	s = sine(lon / 2);
	along = sine(lat / 2);
	/* each cosine by itself: their product would lose the bits of a small s */
	east = times(cosine(a->lat_e7), s) * times(cosine(b->lat_e7), s);
	return along * along + east;
}

static uint64_t mm_of(uint64_t e7)
{
	return e7 * NM_PER_E7 / NM_PER_MM;
}

uint64_t place_distance_mm(const struct place_point *a, const struct place_point *b)
{
	const int64_t wanted = (int64_t)root((uint64_t)half_sine_square(a, b));
	int64_t low = 0;
	int64_t high = QUARTER_E7;

	while (low < high) { /* the inverse of a function that only rises */
		const int64_t middle = low + (high - low + 1) / 2;

		if (sine(middle) <= wanted)
			low = middle;
		else
			high = middle - 1;
	}
	return mm_of(2 * (uint64_t)low);
}

int place_in_circle(const struct place_circle *circle, const struct place_claim *claim)
{
	const uint64_t radius_mm = (uint64_t)circle->radius_m * 1000;
	uint64_t half_e7;
	int64_t limit;

	if (claim->accuracy_mm > radius_mm)
		return 0;
	half_e7 = (radius_mm - claim->accuracy_mm) * NM_PER_MM / NM_PER_E7 / 2;
	if (half_e7 > QUARTER_E7)
		half_e7 = QUARTER_E7;
	limit = sine((int64_t)half_e7);
	return half_sine_square(&circle->centre, &claim->at) <= limit * limit;
}

static uint64_t at_least_one(uint64_t mm)
{
	return mm > 0 ? mm : 1;
}

uint64_t place_circle_excess_mm(const struct place_circle *circle, const struct place_claim *claim)
{
	const uint64_t radius_mm = (uint64_t)circle->radius_m * 1000;
	const uint64_t reach =
		place_distance_mm(&circle->centre, &claim->at) + claim->accuracy_mm;

	return at_least_one(reach > radius_mm ? reach - radius_mm : 0);
}

/* Above 0: c is to the left of the line from a to b. Differences are at most 180 degrees. */
static int64_t turn(
	const struct place_point *a, const struct place_point *b, const struct place_point *c)
{
	const int64_t ab_lat = (int64_t)b->lat_e7 - a->lat_e7;
	const int64_t ab_lon = (int64_t)b->lon_e7 - a->lon_e7;
	const int64_t ac_lat = (int64_t)c->lat_e7 - a->lat_e7;
	const int64_t ac_lon = (int64_t)c->lon_e7 - a->lon_e7;

	return ab_lon * ac_lat - ab_lat * ac_lon;
}

static int sign(int64_t value)
{
	return (value > 0) - (value < 0);
}

static int between(int32_t a, int32_t b, int32_t value)
{
	return (a <= value && value <= b) || (b <= value && value <= a);
}

/* c is on the line through a and b: is it on the edge? */
static int on_edge(
	const struct place_point *a, const struct place_point *b, const struct place_point *c)
{
	return between(a->lat_e7, b->lat_e7, c->lat_e7) && between(a->lon_e7, b->lon_e7, c->lon_e7);
}

static int edges_meet(const struct place_point *a, const struct place_point *b,
	const struct place_point *c, const struct place_point *d)
{
	const int abc = sign(turn(a, b, c));
	const int abd = sign(turn(a, b, d));
	const int cda = sign(turn(c, d, a));
	const int cdb = sign(turn(c, d, b));

	if (abc != abd && cda != cdb)
		return 1;
	return (abc == 0 && on_edge(a, b, c)) || (abd == 0 && on_edge(a, b, d)) ||
		(cda == 0 && on_edge(c, d, a)) || (cdb == 0 && on_edge(c, d, b));
}

static int same_point(const struct place_point *a, const struct place_point *b)
{
	return a->lat_e7 == b->lat_e7 && a->lon_e7 == b->lon_e7;
}

/* b is between the edges ab and bc: do they share more than b? */
static int folds_back(
	const struct place_point *a, const struct place_point *b, const struct place_point *c)
{
	return turn(a, b, c) == 0 && (on_edge(a, b, c) || on_edge(b, c, a));
}

static enum place_fault check_edges(const struct place_point *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			if (same_point(&p[i], &p[j]))
				return PLACE_REPEATED;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (folds_back(&p[i], &p[(i + 1) % n], &p[(i + 2) % n]))
			return PLACE_CROSSING;
		for (size_t j = i + 2; j < n; j++) {
			if ((j + 1) % n != i &&
				edges_meet(&p[i], &p[i + 1], &p[j], &p[(j + 1) % n]))
				return PLACE_CROSSING;
		}
	}
	return PLACE_GOOD;
}

void place_box(struct place_point box[2], const struct place_point *corners, size_t count)
{
	box[0] = corners[0];
	box[1] = corners[0];
	for (size_t i = 1; i < count; i++) {
		const struct place_point *p = &corners[i];

		if (p->lat_e7 < box[0].lat_e7)
			box[0].lat_e7 = p->lat_e7;
		if (p->lon_e7 < box[0].lon_e7)
			box[0].lon_e7 = p->lon_e7;
		if (p->lat_e7 > box[1].lat_e7)
			box[1].lat_e7 = p->lat_e7;
		if (p->lon_e7 > box[1].lon_e7)
			box[1].lon_e7 = p->lon_e7;
	}
}

enum place_fault place_polygon_check(const struct place_point *corners, size_t count)
{
	struct place_point box[2];

	if (count < 3)
		return PLACE_TOO_FEW;
	place_box(box, corners, count);
	if (box[0].lat_e7 < -PLACE_LAT_MAX_E7 || box[1].lat_e7 > PLACE_LAT_MAX_E7 ||
		box[0].lon_e7 < -PLACE_LON_MAX_E7 || box[1].lon_e7 > PLACE_LON_MAX_E7)
		return PLACE_RANGE;
	if ((int64_t)box[1].lon_e7 - box[0].lon_e7 > PLACE_LON_MAX_E7)
		return PLACE_TOO_WIDE;
	return check_edges(corners, count);
}

/* Even-odd rule, exact; the point is inside the box, so no difference is over 180 degrees. */
static int encloses(const struct place_polygon *polygon, const struct place_point *at)
{
	int inside = 0;

	for (size_t i = 0; i < polygon->count; i++) {
		const struct place_point *a = &polygon->corners[i];
		const struct place_point *b = &polygon->corners[(i + 1) % polygon->count];
		int64_t side;

		if ((a->lat_e7 > at->lat_e7) == (b->lat_e7 > at->lat_e7))
			continue;
		side = turn(a, b, at);
		if (b->lat_e7 > a->lat_e7 ? side > 0 : side < 0)
			inside = !inside;
	}
	return inside;
}

/* A plane round the claim; its unit is 2 * 10^-7 degrees, so that products of two fit. */
struct plane {
	const struct place_point *at;
	int64_t east; /* scale of longitude */
};

struct spot {
	int64_t x;
	int64_t y;
};

static struct plane plane_at(const struct place_claim *claim)
{
	const uint64_t reach = (uint64_t)claim->accuracy_mm * NM_PER_MM / NM_PER_E7 + 1;
	int64_t lat = claim->at.lat_e7;
	struct plane plane = {&claim->at, 0};

	lat = (lat < 0 ? -lat : lat) + (int64_t)reach;
	plane.east = lat < QUARTER_E7 ? cosine(lat) : 0;
	return plane;
}

static struct spot project(const struct plane *plane, const struct place_point *p)
{
	const int64_t lon = (int64_t)p->lon_e7 - plane->at->lon_e7;
	const int64_t x = times(lon < 0 ? -lon : lon, plane->east) / 2;
	const struct spot out = {lon < 0 ? -x : x, ((int64_t)p->lat_e7 - plane->at->lat_e7) / 2};

	return out;
}

static uint64_t length(int64_t x, int64_t y)
{
	return root((uint64_t)(x * x) + (uint64_t)(y * y));
}

/* From the origin to the edge ab, rounded down. */
static uint64_t edge_distance(struct spot a, struct spot b)
{
	const int64_t dx = b.x - a.x;
	const int64_t dy = b.y - a.y;
	const int64_t along = -(a.x * dx + a.y * dy);
	const int64_t square = dx * dx + dy * dy;
	int64_t cross;

	if (along <= 0)
		return length(a.x, a.y);
	if (along >= square)
		return length(b.x, b.y);
	cross = a.x * dy - a.y * dx;
	return (uint64_t)(cross < 0 ? -cross : cross) / (root((uint64_t)square) + 1);
}

static int beyond(int64_t a, int64_t b, int64_t reach)
{
	return (a > reach && b > reach) || (a < -reach && b < -reach);
}

/* The least distance to an edge, in units of the plane; edges over `reach` away may be skipped. */
static uint64_t nearest_edge(
	const struct place_polygon *polygon, const struct plane *plane, int64_t reach)
{
	uint64_t least = UINT64_MAX;
	struct spot a = project(plane, &polygon->corners[polygon->count - 1]);

	for (size_t i = 0; i < polygon->count; i++) {
		const struct spot b = project(plane, &polygon->corners[i]);

		if (!beyond(a.x, b.x, reach) && !beyond(a.y, b.y, reach)) {
			const uint64_t distance = edge_distance(a, b);

			if (distance < least)
				least = distance;
		}
		a = b;
	}
	return least;
}

int place_in_polygon(const struct place_polygon *polygon, const struct place_claim *claim)
{
	const struct place_point *at = &claim->at;
	const struct plane plane = plane_at(claim);
	const uint64_t reach =
		((uint64_t)claim->accuracy_mm * NM_PER_MM + 2 * NM_PER_E7 - 1) / (2 * NM_PER_E7);
	uint64_t distance;

	if (at->lat_e7 < polygon->box[0].lat_e7 || at->lat_e7 > polygon->box[1].lat_e7 ||
		at->lon_e7 < polygon->box[0].lon_e7 || at->lon_e7 > polygon->box[1].lon_e7)
		return 0;
	distance = nearest_edge(polygon, &plane, (int64_t)reach);
	if (distance < reach)
		return 0;
	return distance == 0 || encloses(polygon, at);
}

#define FAR_MM 200000000 /* where the plane no longer says much */

uint64_t place_polygon_excess_mm(
	const struct place_polygon *polygon, const struct place_claim *claim)
{
	const struct place_claim exact = {claim->at, 0};
	const struct plane plane = plane_at(&exact);
	const uint64_t edge = mm_of(2 * nearest_edge(polygon, &plane, INT64_MAX));

	if (place_in_polygon(polygon, &exact))
		return at_least_one(claim->accuracy_mm > edge ? claim->accuracy_mm - edge : 0);
	if (edge > FAR_MM) /* one corner is near enough to the rest, seen from there */
		return place_distance_mm(&polygon->corners[0], &claim->at) + claim->accuracy_mm;
	return edge + claim->accuracy_mm;
}
