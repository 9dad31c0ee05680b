/*
 * The firmware for ESP32-class chips: values, network, time, one boot of the client.
 * Compile-checked against declarations of our own; never linked or run.
 */
#include <esp_system.h>
#include <sdkconfig.h>

#include "client.h"
#include "heap.h"
#include "network.h"
#include "platform.h"
#include "port.h"
#include "protocol/crypto.h"
#include "values.h"

#define AGAIN_LEAST_MS 5000
#define AGAIN_SPREAD_MS 25000

static enum cv_err locked(const char *what, enum cv_err err)
{
	port_log(what);
	port_log(cv_err_text(err));
	return err;
}

static enum cv_err prepare(void)
{
	enum cv_err err;

	port_mount_signal(0);
	heap_install();
	err = crypto_init();
	if (err != CV_OK)
		return locked("locked: crypto:", err);
	err = platform_measure();
	if (err != CV_OK)
		return locked("locked: the running firmware cannot be measured:", err);
	port_log(platform_state());
#ifdef CONFIG_CONCLAVE_REQUIRE_SECURE
	if (!platform_is_secure())
		return locked(
			"locked: this build wants secure boot, flash encryption and closed JTAG:",
			CV_ERR_CONFIG);
#endif
	err = values_open();
	if (err != CV_OK)
		return locked("locked: not provisioned, or the image is damaged:", err);
	err = network_up(CONFIG_CONCLAVE_NETWORK_TIMEOUT_S * UINT32_C(1000));
	if (err != CV_OK)
		return locked("locked: no network:", err);
	network_clock(CONFIG_CONCLAVE_SNTP_TIMEOUT_S * UINT32_C(1000));
	return CV_OK;
}

/* Not at once, and not in step with the other boards of the street. */
static void wait_before_restart(void)
{
	uint32_t random = 0;

	if (crypto_random(&random, sizeof(random)) != CV_OK)
		random = AGAIN_SPREAD_MS;
	port_wait_ms(AGAIN_LEAST_MS + random % AGAIN_SPREAD_MS);
}

void app_main(void)
{
	const struct client_limits limits = {
		.timeout_ms = CONFIG_CONCLAVE_UNLOCK_TIMEOUT_S * UINT64_C(1000),
		.stay_ms = CLIENT_FOREVER};
	struct client_result result = {.outcome = prepare()};

	if (result.outcome == CV_OK)
		client_run(&result, &limits);
	port_mount_signal(0);
	(void)locked("locked:", result.outcome);
	wait_before_restart();
	esp_restart();
}
