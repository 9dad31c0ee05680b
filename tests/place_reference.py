#!/usr/bin/python3
"""Positions inside and outside areas, decided with floating point and 3-D vectors, not as the C does.

  place_reference.py          write tests/vectors/place_vectors.h
  place_reference.py --check  exit 1 if it is not what this writes

A case closer than a metre to the boundary (1 % of the accuracy for polygons) is not kept: there
the two may differ.
"""
import math
import pathlib
import random
import sys

FILE = pathlib.Path(__file__).resolve().parent / "vectors/place_vectors.h"
RADIUS_M = 6371008.8
E7 = 10_000_000


def vector(point):
    lat, lon = (math.radians(v / E7) for v in point)
    return (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))


def distance_m(a, b):
    a, b = vector(a), vector(b)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return RADIUS_M * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(a, b)))


def edge_distance_m(at, a, b):
    """The edge is straight in latitude and longitude: the nearest of its points by halving."""
    def point(t):
        return (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))
    steps = 64
    best = min(range(steps + 1), key=lambda i: distance_m(at, point(i / steps)))
    low, high = max(0, best - 1) / steps, min(steps, best + 1) / steps
    for _ in range(80):
        m1, m2 = low + (high - low) / 3, high - (high - low) / 3
        if distance_m(at, point(m1)) < distance_m(at, point(m2)):
            high = m2
        else:
            low = m1
    return distance_m(at, point((low + high) / 2))


def encloses(corners, at):
    """By winding: the angles that the edges are seen under, in the plane of the coordinates."""
    total = 0.0
    for a, b in zip(corners, corners[1:] + corners[:1]):
        t = math.atan2(b[0] - at[0], b[1] - at[1]) - math.atan2(a[0] - at[0], a[1] - at[1])
        total += (t + math.pi) % (2 * math.pi) - math.pi
    return abs(total) > math.pi


def moved(rng, point, metres):
    """Somewhere about so far away."""
    angle = rng.uniform(0, 2 * math.pi)
    lat = point[0] / E7 + math.degrees(metres * math.cos(angle) / RADIUS_M)
    lat = max(-90.0, min(90.0, lat))
    scale = max(0.01, math.cos(math.radians(point[0] / E7)))
    lon = point[1] / E7 + math.degrees(metres * math.sin(angle) / RADIUS_M / scale)
    return (round(lat * E7), round((lon + 540) % 360 * E7) - 180 * E7)


def circles(rng):
    out = []
    while len(out) < 160:
        centre = (rng.randint(-89 * E7, 89 * E7), rng.randint(-180 * E7, 180 * E7))
        if rng.random() < 0.2:
            centre = (centre[0], rng.choice((-1, 1)) * rng.randint(1799 * E7 // 10, 180 * E7))
        radius = rng.choice((30, 500, 20000, 300000, 5000000))
        at = moved(rng, centre, radius * rng.uniform(0, 1.6))
        accuracy = rng.choice((0, 5000, 40000))
        margin = radius - accuracy / 1000 - distance_m(centre, at)
        if abs(margin) > 1:
            out.append((*centre, radius, *at, accuracy, int(margin > 0),
                        round(1000 * distance_m(centre, at))))
    return out


def polygons(rng):
    out = []
    while len(out) < 160:
        middle = (rng.randint(-80 * E7, 80 * E7), rng.randint(-170 * E7, 170 * E7))
        size = rng.choice((200, 3000, 60000))
        count = rng.randint(3, 8)
        # a star round the middle: it cannot cross itself
        angles = sorted(rng.uniform(0, 2 * math.pi) for _ in range(count))
        if max((b - a) % (2 * math.pi) for a, b in zip(angles, angles[1:] + angles[:1])) > 3:
            continue
        corners = []
        for angle in angles:
            reach = math.degrees(size * rng.uniform(0.3, 1) / RADIUS_M) * E7
            scale = math.cos(math.radians(middle[0] / E7))
            corners.append((middle[0] + round(reach * math.cos(angle)),
                            middle[1] + round(reach * math.sin(angle) / scale)))
        at = moved(rng, middle, size * rng.uniform(0, 1.2))
        accuracy = rng.choice((0, 5000, 40000))
        edge = min(edge_distance_m(at, a, b)
                   for a, b in zip(corners, corners[1:] + corners[:1]))
        inside = encloses(corners, at)
        margin = (edge if inside else -edge) - accuracy / 1000
        if abs(margin) > 1 + accuracy / 1e5:
            out.append((corners, at, accuracy, int(margin > 0), round(-1000 * margin)))
    return out


def text():
    rng = random.Random(9)
    out = ["/* Written by tests/place_reference.py. */\n#ifndef CONCLAVE_TESTS_PLACE_VECTORS_H\n"
           "#define CONCLAVE_TESTS_PLACE_VECTORS_H\n\n#include \"protocol/place.h\"\n\n"
           "static const struct place_circle_case {\n\tstruct place_circle circle;\n"
           "\tstruct place_claim claim;\n\tint inside;\n\tuint64_t distance_mm;\n"
           "} place_circles[] = {\n"]
    for lat, lon, radius, at_lat, at_lon, accuracy, inside, distance in circles(rng):
        out.append(f"\t{{{{{{{lat}, {lon}}}, {radius}}}, {{{{{at_lat}, {at_lon}}}, {accuracy}}}, "
                   f"{inside}, {distance}u}},\n")
    out.append("};\n\nstatic const struct place_polygon_case {\n"
               "\tstruct place_point corners[8];\n\tsize_t count;\n\tstruct place_claim claim;\n"
               "\tint inside;\n\tint64_t over_mm; /* below 0 inside */\n} place_polygons[] = {\n")
    for corners, at, accuracy, inside, over in polygons(rng):
        points = ", ".join(f"{{{lat}, {lon}}}" for lat, lon in corners)
        out.append(f"\t{{{{{points}}}, {len(corners)},\n\t\t{{{{{at[0]}, {at[1]}}}, {accuracy}}}, "
                   f"{inside}, {over}}},\n")
    return "".join(out) + "};\n\n#endif\n"


def main():
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != text():
            sys.exit("place_vectors.h is not what place_reference.py writes")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        FILE.write_text(text())


if __name__ == "__main__":
    main()
