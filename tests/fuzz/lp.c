/* The reader of lp(): fields stay inside the input, and written again they give it back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/lp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct lp_reader r;
	char text[16];
	struct lp lp;
	size_t len;

	if (copy == NULL)
		return 0;
	lp_read_begin(&r, data, size, "label");
	lp_begin(&lp, copy, size + 1, "label");
	while (r.err == CV_OK && r.pos < r.end) {
		const uint8_t *field = lp_read_bytes(&r, &len);

		if (field != NULL)
			lp_bytes(&lp, field, len);
	}
	if (lp_read_end(&r) == CV_OK &&
		(lp_end(&lp, &len) != CV_OK || len != size || memcmp(copy, data, size) != 0))
		abort();
	free(copy);
	lp_read_begin(&r, data, size, "label");
	lp_read_text(&r, text, sizeof(text));
	(void)lp_read_u64(&r);
	lp_read_exact(&r, text, 3);
	if (lp_read_end(&r) == CV_OK && r.pos != r.end)
		abort();
	return 0;
}
