#include "gateway/audit.h"

void audit_begin(struct audit_text *a, const char *kind, const struct authorize_clock *clock,
	const char *device)
{
	json_begin(&a->w, a->buf, sizeof(a->buf));
	json_object_open(&a->w, NULL);
	json_u64(&a->w, "time", clock->now_s);
	json_bool(&a->w, "clock_trusted", clock->trusted);
	json_text(&a->w, "kind", kind);
	if (device != NULL)
		json_text(&a->w, "device", device);
}

enum cv_err audit_append(struct audit_text *a, struct store *store)
{
	size_t len = 0;
	enum cv_err err;

	json_object_close(&a->w);
	err = json_end(&a->w, &len);
	return err != CV_OK ? err : store_audit_append(store, a->buf, len);
}
