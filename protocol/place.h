/*
 * Areas on the globe: is a claimed position, with its accuracy, inside a circle or a polygon?
 *
 * Units    degrees times 10^7 as integers; no floating point anywhere, so nothing is NaN and every
 *          gateway computes the same. Distances on a sphere of 6,371,008.8 m (IUGG mean radius):
 *          up to 0.6 % off those on the WGS-84 ellipsoid. The arithmetic itself adds under 0.1 m.
 * Circle   great-circle distance (haversine) from the centre.
 * Polygon  edges are straight lines in latitude and longitude, as in RFC 7946 section 3.1.1. The
 *          distance to an edge is taken in a plane whose scale is that of the latitude nearest to
 *          a pole that the claim may reach: it is understated, never overstated.
 * Boundary belongs to the area.
 * Pure     no memory but the caller's; any thread.
 */
#ifndef CONCLAVE_PROTOCOL_PLACE_H
#define CONCLAVE_PROTOCOL_PLACE_H

#include <stddef.h>
#include <stdint.h>

#define PLACE_LAT_MAX_E7 900000000
#define PLACE_LON_MAX_E7 1800000000
#define PLACE_RADIUS_MAX_M 20000000 /* half the way round */

struct place_point {
	int32_t lat_e7;
	int32_t lon_e7;
};

struct place_claim {
	struct place_point at;
	uint32_t accuracy_mm; /* the position is within this of `at` */
};

struct place_circle {
	struct place_point centre;
	uint32_t radius_m;
};

struct place_polygon { /* `box` is place_box of the corners */
	const struct place_point *corners; /* not closed: the first is not repeated */
	size_t count;
	struct place_point box[2]; /* least and greatest */
};

enum place_fault { /* why corners are no polygon */
	PLACE_GOOD = 0,
	PLACE_TOO_FEW,	  /* fewer than 3 */
	PLACE_RANGE,	  /* outside +-90, +-180 degrees */
	PLACE_TOO_WIDE,	  /* over 180 degrees from west to east: so is each across the antimeridian */
	PLACE_REPEATED,	  /* a corner twice */
	PLACE_CROSSING	  /* an edge meets another, or lies on it */
};

enum place_fault place_polygon_check(const struct place_point *corners, size_t count);
void place_box(struct place_point box[2], const struct place_point *corners, size_t count);

/* 1 if all of the claim, `accuracy_mm` round it, is inside. */
int place_in_circle(const struct place_circle *circle, const struct place_claim *claim);
int place_in_polygon(const struct place_polygon *polygon, const struct place_claim *claim);

/*
 * By how much a claim that is not inside reaches out of the area, for people: at least 1 mm. Over
 * 200 km from a polygon, the distance to one of its corners stands for it.
 */
uint64_t place_circle_excess_mm(const struct place_circle *circle, const struct place_claim *claim);
uint64_t place_polygon_excess_mm(
	const struct place_polygon *polygon, const struct place_claim *claim);

/* Great-circle distance. */
uint64_t place_distance_mm(const struct place_point *a, const struct place_point *b);

#endif
