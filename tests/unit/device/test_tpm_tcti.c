/* The TCTI around another one: it hands on what comes, and does not wait for ever. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "device/tpm_tcti.h"

#define SHORT_MS 20

static struct {
	TSS2_TCTI_CONTEXT_COMMON_V2 common;
	int fd;
	int cancelled;
	size_t sent;
} inner;

static int pipes[2];
static TSS2_TCTI_CONTEXT *timed;

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *tcti, size_t size, const uint8_t *command)
{
	(void)tcti;
	(void)command;
	inner.sent = size;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *tcti, size_t *size, uint8_t *out, int32_t timeout)
{
	(void)tcti;
	(void)timeout;
	*size = (size_t)read(inner.fd, out, *size);
	return TSS2_RC_SUCCESS;
}

static TSS2_RC handles(TSS2_TCTI_CONTEXT *tcti, TSS2_TCTI_POLL_HANDLE *out, size_t *count)
{
	(void)tcti;
	out[0].fd = inner.fd;
	out[0].events = POLLIN;
	*count = 1;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *tcti)
{
	(void)tcti;
	inner.cancelled++;
	return TSS2_RC_SUCCESS;
}

static int setup(void **state)
{
	(void)state;
	memset(&inner, 0, sizeof(inner));
	inner.common.v1.magic = 1;
	inner.common.v1.version = 2;
	inner.common.v1.transmit = transmit;
	inner.common.v1.receive = receive;
	inner.common.v1.cancel = cancel;
	inner.common.v1.getPollHandles = handles;
	if (pipe(pipes) != 0)
		return -1;
	inner.fd = pipes[0];
	return tpm_tcti_open(&timed, (TSS2_TCTI_CONTEXT *)&inner, SHORT_MS) == CV_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tpm_tcti_close(timed);
	close(pipes[0]);
	close(pipes[1]);
	return 0;
}

static void hands_command_and_answer_on(void **state)
{
	uint8_t out[8];
	size_t size = sizeof(out);

	(void)state;
	assert_int_equal(Tss2_Tcti_Transmit(timed, 5, (const uint8_t *)"hello"), TSS2_RC_SUCCESS);
	assert_int_equal(inner.sent, 5);
	assert_int_equal(write(pipes[1], "abc", 3), 3);
	assert_int_equal(Tss2_Tcti_Receive(timed, &size, out, TSS2_TCTI_TIMEOUT_BLOCK),
		TSS2_RC_SUCCESS);
	assert_int_equal(size, 3);
	assert_int_equal(inner.cancelled, 0);
}

static void gives_up_on_a_tpm_that_never_answers(void **state)
{
	uint8_t out[8];
	size_t size = sizeof(out);

	(void)state;
	assert_int_equal(Tss2_Tcti_Receive(timed, &size, out, TSS2_TCTI_TIMEOUT_BLOCK),
		TSS2_TCTI_RC_IO_ERROR);
	assert_int_equal(inner.cancelled, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hands_command_and_answer_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			gives_up_on_a_tpm_that_never_answers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
