/* Policies: counts stay inside their arrays, and a refused one leaves nothing behind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy policy;
	char problem[64];
	enum cv_err err =
		policy_decode(&policy, (const char *)data, size, problem, sizeof(problem));

	if (err != CV_OK) {
		if (memchr(problem, '\0', sizeof(problem)) == NULL || problem[0] == '\0' ||
			policy.version != 0 || policy_lint(&policy, NULL, 0) == CV_OK)
			abort();
		return 0;
	}
	if (policy.measurement_count > CV_DIGESTS_MAX || policy.regions.count > CV_PLACES_MAX ||
		policy.states.count > CV_PLACES_MAX || policy.cities.count > CV_PLACES_MAX)
		abort();
	if (policy.area_count > CV_AREAS_MAX || policy.corner_count > CV_CORNERS_MAX ||
		policy.source_count > CV_PLACE_SOURCES_MAX)
		abort();
	for (size_t i = 0; i < policy.area_count; i++) {
		if (policy.areas[i].first + policy.areas[i].corner_count > policy.corner_count)
			abort();
	}
	for (size_t i = 0; i < policy.measurement_count; i++) {
		if (policy.measurement[i].count < 1 ||
			policy.measurement[i].count > CV_REFERENCE_VALUES_MAX)
			abort();
	}
	return 0;
}
