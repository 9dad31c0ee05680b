/* A boot's log: whatever it condenses to is what a gateway would take, and can be replayed. */
#include <stdlib.h>

#include "protocol/crypto.h"
#include "protocol/eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct eventlog log;
	uint8_t value[CV_HASH_BYTES];
	enum cv_err err;

	if (crypto_init() != CV_OK)
		abort();
	err = eventlog_condense(&log, data, size);
	if (err != CV_OK) {
		if (log.len != 0)
			abort();
		return 0;
	}
	if (eventlog_check(&log) != CV_OK || eventlog_count(&log) > CV_EVENTS_MAX)
		abort();
	for (unsigned int pcr = 0; pcr < 16; pcr++)
		if (eventlog_replay(value, &log, pcr) != CV_OK)
			abort();
	return 0;
}
