#include "host/bundle_internal.h"

#include "protocol/lp.h"

#define LABEL "conclave-bundle-v1"
#define FIELD_OVERHEAD 4

size_t bundle_document_cap(const struct bundle *b)
{
	size_t cap = FIELD_OVERHEAD + sizeof(LABEL) + FIELD_OVERHEAD + 8;

	for (size_t i = 0; i < b->count; i++)
		cap += 2 * FIELD_OVERHEAD + BUNDLE_NAME_BUF + b->files[i].len;
	return cap;
}

enum cv_err bundle_document_encode(uint8_t *out, size_t cap, size_t *len, const struct bundle *b)
{
	struct lp lp;

	lp_begin(&lp, out, cap, LABEL);
	lp_u64(&lp, b->count);
	for (size_t i = 0; i < b->count; i++) {
		lp_text(&lp, b->files[i].name);
		lp_bytes(&lp, b->files[i].data, b->files[i].len);
	}
	return lp_end(&lp, len);
}

enum cv_err bundle_document_decode(struct bundle *b, const uint8_t *data, size_t len)
{
	char name[BUNDLE_NAME_BUF] = "";
	struct lp_reader r;
	enum cv_err err = CV_OK;

	lp_read_begin(&r, data, len, LABEL);
	uint64_t count = lp_read_u64(&r);
	if (r.err == CV_OK && count > BUNDLE_FILES_MAX)
		return CV_ERR_TOO_LONG;
	for (uint64_t i = 0; i < count && r.err == CV_OK && err == CV_OK; i++) {
		size_t n = 0;

		lp_read_text(&r, name, sizeof(name));
		const uint8_t *file = lp_read_bytes(&r, &n);
		if (r.err == CV_OK)
			err = bundle_add(b, name, file, n);
	}
	return err != CV_OK ? err : lp_read_end(&r);
}
