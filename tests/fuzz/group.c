/* Policies of groups: what is taken keeps to its limits, and a refused one leaves nothing behind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/group.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct group_policy *p)
{
	if (p->rules.version == 0 || p->trust_classes == 0 ||
		p->reference_count > GROUP_REFERENCES_MAX || p->client_count > GROUP_CLIENTS_MAX ||
		p->window_count > GROUP_WINDOWS_MAX || p->maintenance_count > GROUP_WINDOWS_MAX)
		abort();
	for (size_t i = 0; i < p->reference_count; i++) {
		if (p->reference[i].until_s <= p->reference[i].from_s ||
			strlen(p->reference[i].name) == 0)
			abort();
	}
	for (size_t i = 0; i < p->window_count; i++) {
		if (p->window[i].from_minute >= 1440 || p->window[i].until_minute > 1440)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct group_policy policy;
	char problem[64] = "";
	const enum cv_err err =
		group_decode(&policy, (const char *)data, size, problem, sizeof(problem));

	if (err == CV_OK)
		check(&policy);
	else if (problem[0] == '\0' || policy.reference != NULL || policy.rules.version != 0)
		abort();
	group_free(&policy);
	return 0;
}
