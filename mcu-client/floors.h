/*
 * What never goes back on this device: the oldest firmware and the oldest settings that it still
 * takes, in non-volatile memory ("floors": two u32, big-endian). Settings raise both
 * (protocol/settings_rules.h); a chip with fuses for it also burns the firmware's (port.h).
 */
#ifndef CONCLAVE_MCU_FLOORS_H
#define CONCLAVE_MCU_FLOORS_H

#include "protocol/settings_rules.h"

/* Before anything is asked for: CV_ERR_TOO_OLD if this firmware must not run any more. */
CV_MUST_CHECK enum cv_err floors_check(void);
/*
 * CV_ERR_TOO_OLD if these settings, or this firmware under them, are older than allowed. Otherwise
 * the floors are durable at their new height when it returns CV_OK.
 */
CV_MUST_CHECK enum cv_err floors_raise(const struct settings_rules *rules);

#endif
