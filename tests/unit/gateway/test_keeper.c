/* The keeper as a process: the whole exchange, refusals, events, restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/crypto.h"
#include "tests/unit/gateway/keeper_rig.h"

static void releases_the_share_to_its_device(void **state)
{
	struct rig *rig = rig_enrolled();
	static char body[CV_BODY_MAX];
	uint8_t nonce[CV_NONCE_BYTES];
	struct rig_answer *answer;

	(void)state;
	rig_nonce(rig, &rig->device, nonce);
	rig_authorize_body(body, sizeof(body), &rig->device, nonce);
	answer = rig_device_call(rig, &rig->device, MESSAGE_TARGET_AUTHORIZE, body);
	assert_true(rig_opens(&rig->device, nonce, answer));
	assert_true(rig_alerted(rig, EVENT_AUTH_OK));
	assert_int_equal(rig_health(rig, "released"), 1);
	assert_int_equal(rig_stop(rig), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_the_share_to_its_device),
	};

	return cmocka_run_group_tests(tests, rig_process_init, NULL);
}
