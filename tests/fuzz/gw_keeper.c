/*
 * What the keeper decodes that another process or the disk may have written: packets of the front and
 * of the monitor, answers as the front reads them, and records after decryption. What is taken is
 * encoded again and must be the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ipc.h"
#include "gateway/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_same(enum cv_err err, const uint8_t *again, size_t len, const uint8_t *data,
	size_t size)
{
	if (err != CV_OK || len != size || memcmp(again, data, size) != 0)
		abort();
}

static void try_packet(const uint8_t *data, size_t size, uint8_t *again)
{
	static struct ipc_request request;
	struct ipc_answer answer;
	struct ipc_control control;
	enum cv_err err;
	size_t len = 0;

	if (ipc_request_decode(&request, data, size) == CV_OK) {
		err = ipc_request_encode(again, IPC_PACKET_MAX, &len, &request);
		must_be_same(err, again, len, data, size);
	}
	if (ipc_answer_decode(&answer, data, size) == CV_OK) {
		err = ipc_answer_encode(again, IPC_PACKET_MAX, &len, &answer);
		must_be_same(err, again, len, data, size);
	}
	if (ipc_control_decode(&control, data, size) == CV_OK) {
		err = ipc_control_encode(again, IPC_PACKET_MAX, &len, &control);
		must_be_same(err, again, len, data, size);
	}
}

static void try_record(const uint8_t *data, size_t size, uint8_t *again)
{
	struct record *rec = malloc(sizeof(*rec));
	enum cv_err err;
	size_t len = 0;

	if (rec != NULL && record_decode(rec, data, size) == CV_OK) {
		err = record_encode(again, &len, rec);
		must_be_same(err, again, len, data, size);
	}
	free(rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *again;

	if (size > IPC_PACKET_MAX)
		return 0;
	again = malloc(IPC_PACKET_MAX);
	if (again == NULL)
		return 0;
	try_packet(data, size, again);
	if (size <= RECORD_PLAIN_MAX)
		try_record(data, size, again);
	free(again);
	return 0;
}
