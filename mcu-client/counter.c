#include "counter.h"

#include "port.h"

#define COUNTER_BYTES 8

void counter_bytes(uint8_t out[COUNTER_BYTES], uint64_t value)
{
	for (size_t i = 0; i < COUNTER_BYTES; i++)
		out[i] = (uint8_t)(value >> (56 - 8 * i));
}

enum cv_err counter_next(const char *name, uint64_t *value)
{
	uint8_t raw[COUNTER_BYTES] = {0};
	uint64_t next = 0;
	size_t len = 0;
	enum cv_err err = port_nv_get(name, raw, sizeof(raw), &len);

	if (err != CV_OK && err != CV_ERR_NOT_FOUND)
		return err;
	if (err == CV_OK && len != sizeof(raw))
		return CV_ERR_FORMAT;
	for (size_t i = 0; i < sizeof(raw); i++)
		next = next << 8 | raw[i];
	if (next == UINT64_MAX)
		return CV_ERR_RANGE;
	next++;
	counter_bytes(raw, next);
	err = port_nv_set(name, raw, sizeof(raw));
	if (err == CV_OK)
		*value = next;
	return err;
}
