#include "gateway/privacy.h"

#include <string.h>

#define KM_MM 1000000

static void coarsen_place(struct verdict_detail *d)
{
	if (strcmp(d->rule, "place.regions") != 0)
		d->claimed[0] = '\0';
	if (d->unit == VERDICT_MM)
		d->over = (d->over / KM_MM + (d->over % KM_MM != 0)) * KM_MM;
}

static void redact(struct verdict_detail *d)
{
	d->claimed[0] = '\0';
	d->nearest[0] = '\0';
	d->unit = VERDICT_NO_UNIT;
	d->over = 0;
}

/* *detail as these levels let it be seen. */
static struct verdict_detail filter(
	const struct privacy *privacy, const struct verdict_detail *detail)
{
	struct verdict_detail out = *detail;

	if (out.is_place && privacy->location == PRIVACY_COARSE)
		coarsen_place(&out);
	if (out.is_place && privacy->location == PRIVACY_REDACTED)
		redact(&out);
	if (out.is_serial && privacy->serials != PRIVACY_EXACT)
		out.claimed[0] = '\0';
	if (out.is_serial && privacy->serials == PRIVACY_REDACTED)
		strcpy(out.rule, "inventory");
	return out;
}

void privacy_write(struct json_writer *w, const struct privacy *privacy,
	const struct verdict_detail *detail)
{
	const struct verdict_detail d = filter(privacy, detail);

	if (d.rule[0] == '\0')
		return;
	json_text(w, "rule", d.rule);
	if (d.claimed[0] != '\0')
		json_text(w, "claimed", d.claimed);
	if (d.nearest[0] != '\0')
		json_text(w, "nearest", d.nearest);
	if (d.unit == VERDICT_MM)
		json_u64(w, "over_mm", d.over);
	if (d.unit == VERDICT_S)
		json_u64(w, "over_s", d.over);
}
