/* What the files of `device add` and `device reenroll` share; nobody else includes this. */
#ifndef CONCLAVE_PROVISIONING_DEVICE_ADD_STATE_H
#define CONCLAVE_PROVISIONING_DEVICE_ADD_STATE_H

#include "host/psk_link.h"
#include "provisioning/deal.h"
#include "provisioning/device_record.h"
#include "provisioning/device_volume.h"
#include "provisioning/enroll.h"
#include "provisioning/staging.h"

struct add {
	struct fleet fleet;
	struct operator op;
	struct passphrase passphrase;
	struct deal_plan plan;
	struct device_volume volume;
	struct device_record record;
	struct deal_secrets *secrets; /* NULL once wiped */
	struct bundle bundle;
	struct staging staging;
	uint8_t *settings; /* secret_alloc */
	struct enroll_proof *proof; /* secret_alloc; NULL without a TPM */
	struct psk_link *link; /* to the device, while it enrols online */
	bool mcu;
	bool again; /* a device that is there gets new keys and a new volume */
};

/* device_add_plan.c: everything that can be wrong is found here, before anything is made. */
CV_MUST_CHECK enum cv_err device_add_plan(struct add *a, struct context *ctx);

/* device_add_tpm.c */
/* True for the step that only makes a challenge. */
bool device_add_is_challenge(const struct context *ctx);
CV_MUST_CHECK enum cv_err device_add_challenge(struct add *a, struct context *ctx);
/* --response, or the device itself at --listen: what the TPM has shown goes into a->proof. */
CV_MUST_CHECK enum cv_err device_add_prove(struct add *a, struct context *ctx);
/* Hands the bundle to the device at the other end, if it is online. */
CV_MUST_CHECK enum cv_err device_add_deliver(struct add *a);
/* The sections that a policy for a TPM needs, if --policy did not say it all. */
CV_MUST_CHECK enum cv_err device_add_tpm_policy(struct add *a, const struct context *ctx);

#endif
