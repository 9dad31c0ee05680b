/*
 * Wi-Fi station and time. Neither is trusted: whoever runs them can delay a boot, no more.
 *
 * Threads  one; events arrive in ESP-IDF's own task. Compile-checked against declarations; never
 *          linked or run.
 */
#ifndef CONCLAVE_ESP_NETWORK_H
#define CONCLAVE_ESP_NETWORK_H

#include <stdint.h>

#include "protocol/err.h"

/*
 * Until there is an address. CV_ERR_CONFIG: no network is named. CV_ERR_TIMEOUT. Reconnects by
 * itself later.
 */
CV_MUST_CHECK enum cv_err network_up(uint32_t timeout_ms);
/*
 * Asks for the time and waits a little; without an answer the clock stays unknown until one comes.
 */
void network_clock(uint32_t timeout_ms);
/* 1 once a time server has answered since this start. */
int network_clock_known(void);

#endif
