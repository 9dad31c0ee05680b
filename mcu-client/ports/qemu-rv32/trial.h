/*
 * What tests may ask of the firmware built for them (make mcu-trial), by values in its store; the
 * firmware itself has none of this.
 *   trial.fail    the n-th allocation of the client fails
 *   trial.step    in each further boot of the run, so many later; 1 if not there
 *   trial.boots   how many boots in one run
 *   trial.halt    1: stand still after the boots, so that memory can be looked at
 *   trial.packets of 256 packets: lost, sent twice, cut, held back; then the seed: 5 bytes
 */
#ifndef CONCLAVE_MCU_TRIAL_H
#define CONCLAVE_MCU_TRIAL_H

#include "client.h"

/* Runs the boots; `result` is the last one's. Ends the emulation when a boot leaves heap behind. */
void trial_run(struct client_result *result, const struct client_limits *limits);

#endif
