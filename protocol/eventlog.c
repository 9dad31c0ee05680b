#include "protocol/eventlog.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/tpm_quote.h"

#define ALG_SHA256 0x000b
#define SHA1_BYTES 20
#define DIGEST_MAX 64
#define PCR_MAX 23
#define SIGNATURE "Spec ID Event03"
#define LOCALITY "StartupLocality"

/* Sticky: after the first short read all further ones give zeros and NULL. */
struct reader {
	const uint8_t *at;
	size_t left;
	int failed;
};

static const uint8_t *take(struct reader *r, size_t len)
{
	const uint8_t *out = r->at;

	if (r->failed || len > r->left) {
		r->failed = 1;
		return NULL;
	}
	r->at += len;
	r->left -= len;
	return out;
}

static uint32_t number(struct reader *r, size_t bytes)
{
	const uint8_t *data = take(r, bytes);
	uint32_t value = 0;

	for (size_t i = bytes; data != NULL && i > 0; i--)
		value = value << 8 | data[i - 1];
	return value;
}

static enum cv_err read_algorithms(struct eventlog_reader *log, struct reader *r)
{
	const uint32_t count = number(r, 4);
	int usable = 0;

	if (r->failed || count < 1 ||
		count > sizeof(log->algorithms) / sizeof(log->algorithms[0]))
		return CV_ERR_FORMAT;
	for (uint32_t i = 0; i < count; i++) {
		const uint16_t id = (uint16_t)number(r, 2);
		const uint16_t bytes = (uint16_t)number(r, 2);

		if (r->failed || bytes < 1 || bytes > DIGEST_MAX ||
			(id == ALG_SHA256 && bytes != CV_HASH_BYTES))
			return CV_ERR_FORMAT;
		for (uint32_t j = 0; j < i; j++) {
			if (log->algorithms[j].id == id)
				return CV_ERR_FORMAT;
		}
		usable |= id == ALG_SHA256;
		log->algorithms[i].id = id;
		log->algorithms[i].bytes = bytes;
	}
	log->algorithm_count = (uint8_t)count;
	return usable ? CV_OK : CV_ERR_ALGORITHM;
}

/* TCG_EfiSpecIDEventStruct, the data of the first event. */
static enum cv_err read_spec(struct eventlog_reader *log, const uint8_t *data, size_t len)
{
	struct reader r = {data, len, 0};
	const uint8_t *signature = take(&r, sizeof(SIGNATURE));
	enum cv_err err;

	if (signature == NULL || memcmp(signature, SIGNATURE, sizeof(SIGNATURE)) != 0)
		return CV_ERR_FORMAT;
	(void)take(&r, 8); /* platform class, version, errata, size of an integer */
	err = read_algorithms(log, &r);
	if (err == CV_ERR_FORMAT)
		return err;
	(void)take(&r, number(&r, 1)); /* the vendor's */
	return r.failed || r.left != 0 ? CV_ERR_FORMAT : err;
}

enum cv_err eventlog_open(struct eventlog_reader *log, const uint8_t *data, size_t len)
{
	struct reader r = {data, len, 0};
	const uint8_t *spec;
	uint32_t spec_len;
	enum cv_err err;

	memset(log, 0, sizeof(*log));
	if (len > EVENTLOG_FILE_MAX)
		return CV_ERR_TOO_LONG;
	if (number(&r, 4) != 0 || number(&r, 4) != EVENTLOG_NO_ACTION)
		return CV_ERR_FORMAT;
	(void)take(&r, SHA1_BYTES);
	spec_len = number(&r, 4);
	spec = take(&r, spec_len);
	err = spec != NULL ? read_spec(log, spec, spec_len) : CV_ERR_FORMAT;
	log->at = r.at;
	log->left = r.left;
	return err;
}

static const uint8_t *read_digests(const struct eventlog_reader *log, struct reader *r)
{
	const uint32_t count = number(r, 4);
	const uint8_t *sha256 = NULL;
	unsigned int seen = 0;

	if (count < 1 || count > log->algorithm_count)
		r->failed = 1;
	for (uint32_t i = 0; i < count && !r->failed; i++) {
		const uint16_t id = (uint16_t)number(r, 2);
		size_t j = 0;

		while (j < log->algorithm_count && log->algorithms[j].id != id)
			j++;
		if (j == log->algorithm_count || (seen & 1u << j) != 0) {
			r->failed = 1;
			break;
		}
		seen |= 1u << j;
		if (id == ALG_SHA256)
			sha256 = take(r, CV_HASH_BYTES);
		else
			(void)take(r, log->algorithms[j].bytes);
	}
	return sha256;
}

enum cv_err eventlog_next(struct eventlog_reader *log, struct eventlog_event *event)
{
	struct reader r = {log->at, log->left, 0};

	if (log->left == 0)
		return CV_ERR_NOT_FOUND;
	if (log->events >= EVENTLOG_EVENTS_MAX)
		return CV_ERR_TOO_LONG;
	event->pcr = number(&r, 4);
	event->type = number(&r, 4);
	event->sha256 = read_digests(log, &r);
	event->data_len = number(&r, 4);
	event->data = take(&r, event->data_len);
	if (r.failed || (event->pcr > PCR_MAX && event->type != EVENTLOG_NO_ACTION))
		return CV_ERR_FORMAT;
	log->at = r.at;
	log->left = r.left;
	log->events++;
	return CV_OK;
}

static int locality_valid(uint8_t locality)
{
	return locality == 0 || locality == 3 || locality == 4;
}

/* An event of firmware that started in another locality: no measurement, but where PCR 0 began. */
static enum cv_err note_locality(struct eventlog *out, const struct eventlog_event *event)
{
	if (event->pcr != 0 || event->data_len != sizeof(LOCALITY) + 1 ||
		memcmp(event->data, LOCALITY, sizeof(LOCALITY)) != 0)
		return CV_OK;
	out->bytes[0] = event->data[sizeof(LOCALITY)];
	return locality_valid(out->bytes[0]) ? CV_OK : CV_ERR_FORMAT;
}

static enum cv_err add(struct eventlog *out, const struct eventlog_event *event)
{
	uint8_t *entry = out->bytes + out->len;

	if (event->type == EVENTLOG_NO_ACTION)
		return note_locality(out, event);
	if (tpm_pcr_position(event->pcr) < 0)
		return CV_OK;
	if (event->sha256 == NULL)
		return CV_ERR_ALGORITHM;
	if (out->len + EVENTLOG_ENTRY_BYTES > sizeof(out->bytes))
		return CV_ERR_TOO_LONG;
	entry[0] = (uint8_t)event->pcr;
	memcpy(entry + 1, event->sha256, CV_HASH_BYTES);
	out->len += EVENTLOG_ENTRY_BYTES;
	return CV_OK;
}

enum cv_err eventlog_condense(struct eventlog *out, const uint8_t *log, size_t len)
{
	struct eventlog_reader r;
	struct eventlog_event event;
	enum cv_err err = eventlog_open(&r, log, len);

	out->bytes[0] = 0;
	out->len = 1;
	while (err == CV_OK) {
		err = eventlog_next(&r, &event);
		if (err == CV_ERR_NOT_FOUND)
			return CV_OK;
		if (err == CV_OK)
			err = add(out, &event);
	}
	out->len = 0;
	return err;
}

enum cv_err eventlog_check(const struct eventlog *log)
{
	if (log->len < 1 || log->len > sizeof(log->bytes) ||
		(log->len - 1) % EVENTLOG_ENTRY_BYTES != 0)
		return CV_ERR_FORMAT;
	if (!locality_valid(log->bytes[0]))
		return CV_ERR_RANGE;
	for (size_t i = 0; i < eventlog_count(log); i++) {
		if (tpm_pcr_position(eventlog_pcr(log, i)) < 0)
			return CV_ERR_RANGE;
	}
	return CV_OK;
}

size_t eventlog_count(const struct eventlog *log)
{
	return log->len > 0 ? (log->len - 1) / EVENTLOG_ENTRY_BYTES : 0;
}

unsigned int eventlog_pcr(const struct eventlog *log, size_t event)
{
	return log->bytes[1 + event * EVENTLOG_ENTRY_BYTES];
}

const uint8_t *eventlog_digest(const struct eventlog *log, size_t event)
{
	return log->bytes + 2 + event * EVENTLOG_ENTRY_BYTES;
}

enum cv_err eventlog_replay(
	uint8_t out[CV_HASH_BYTES], const struct eventlog *log, unsigned int pcr)
{
	enum cv_err err = CV_OK;

	memset(out, 0, CV_HASH_BYTES);
	if (pcr == 0)
		out[CV_HASH_BYTES - 1] = log->bytes[0];
	for (size_t i = 0; i < eventlog_count(log) && err == CV_OK; i++) {
		const struct crypto_part parts[] = {
			{out, CV_HASH_BYTES}, {eventlog_digest(log, i), CV_HASH_BYTES}};
		uint8_t next[CV_HASH_BYTES];

		if (eventlog_pcr(log, i) != pcr)
			continue;
		err = crypto_sha256(next, parts, 2);
		if (err == CV_OK)
			memcpy(out, next, CV_HASH_BYTES);
	}
	return err;
}
