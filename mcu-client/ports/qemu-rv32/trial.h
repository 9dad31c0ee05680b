/*
 * What tests may ask of the firmware built for them (make mcu-trial), by values in its store; the
 * firmware itself has none of this.
 *   trial.fail    the n-th allocation of the client fails
 *   trial.step    in each further boot of the run, so many later; 1 if not there
 *   trial.boots   how many boots in one run
 *   trial.halt    1: print the TLS master secrets, and stand still after the boots, so that memory
 *                 can be searched for them and for all else
 *   trial.packets of 256 packets: lost, sent twice, cut, held back; then the seed: 5 bytes
 */
#ifndef CONCLAVE_MCU_TRIAL_H
#define CONCLAVE_MCU_TRIAL_H

#include "client.h"

/*
 * Runs the boots; `result` is the last one's. Ends the emulation when a boot leaves heap behind, or
 * counts a TLS handshake during which an allocation failed.
 */
void trial_run(struct client_result *result, const struct client_limits *limits);

#endif
