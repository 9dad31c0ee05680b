/*
 * The second parallel flash of the machine (-drive if=pflash,unit=1), as the store's partition:
 * two banks of one erase block each. Commands are those of Intel's set (CFI 0001), two chips of 16
 * bits side by side.
 */
#ifndef CONCLAVE_MCU_FLASH_H
#define CONCLAVE_MCU_FLASH_H

#include "store.h"

extern const struct store_flash flash_partition;

#endif
