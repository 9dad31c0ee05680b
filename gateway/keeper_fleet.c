/* What holds for the whole fleet: frozen or not, and the root's rules for operators. */
#include "gateway/keeper_state.h"

#include <string.h>

#include "protocol/lp.h"

#define NAME "fleet"
#define LABEL "conclave-fleet-state-v1"
#define PLAIN_MAX 512

enum cv_err keeper_store_fleet(struct keeper *k)
{
	uint8_t plain[PLAIN_MAX];
	size_t len = 0;
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, plain, sizeof(plain), LABEL);
	lp_u64(&lp, k->fleet.frozen ? 1 : 0);
	lp_u64(&lp, k->fleet.since_s);
	lp_text(&lp, k->fleet.reason);
	lp_u64(&lp, k->fleet.rules_version);
	lp_u64(&lp, k->fleet.two_for_policy ? 1 : 0);
	err = lp_end(&lp, &len);
	return err == CV_OK ? store_document_put(k->store, NAME, plain, len) : err;
}

enum cv_err keeper_load_fleet(struct keeper *k)
{
	struct keeper_fleet found = {0};
	uint8_t plain[PLAIN_MAX];
	struct lp_reader r;
	size_t len = 0;
	enum cv_err err = store_document_get(k->store, NAME, plain, sizeof(plain), &len);

	if (err == CV_ERR_NOT_FOUND) {
		k->fleet = found;
		return CV_OK;
	}
	if (err != CV_OK)
		return err;
	lp_read_begin(&r, plain, len, LABEL);
	found.frozen = lp_read_u64(&r) != 0;
	found.since_s = lp_read_u64(&r);
	lp_read_text(&r, found.reason, sizeof(found.reason));
	found.rules_version = lp_read_u64(&r);
	found.two_for_policy = lp_read_u64(&r) != 0;
	if (lp_read_end(&r) != CV_OK)
		return CV_ERR_TAMPERED;
	k->fleet = found;
	return CV_OK;
}
