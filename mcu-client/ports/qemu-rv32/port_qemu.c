#include "ports/qemu-rv32/port_qemu.h"

#include <stdlib.h>
#include <string.h>

#include <lwip/opt.h>

#include "heap.h"
#include <lwip/sys.h>
#include "ports/software.h"
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/flash.h"
#include "protocol/crypto.h"

static struct store store;
static uint8_t firmware_digest[CV_HASH_BYTES];

/* From picolibc.ld: the firmware in flash is code, constants, and the first values of data. */
extern const uint8_t __flash[], __data_source[];
extern uint8_t __data_start[], __data_end[];

static enum cv_err measure(void)
{
	size_t len = (size_t)(__data_source - __flash) + (size_t)(__data_end - __data_start);

	return crypto_sha256(
		firmware_digest, &(struct crypto_part){.data = __flash, .len = len}, 1);
}

enum cv_err port_qemu_open(void)
{
	enum cv_err err = store_open(&store, &flash_partition);

	return err == CV_OK ? measure() : err;
}

/* A clock that shows a time before this code was written was never set. */
#define CLOCK_EARLIEST_S 1767225600u /* 2026-01-01 */

uint64_t port_unix_s(void)
{
	uint64_t now = board_unix_s();

	return now >= CLOCK_EARLIEST_S ? now : 0;
}

uint64_t port_monotonic_ms(void)
{
	return board_microseconds() / 1000;
}

void port_wait_ms(uint32_t ms)
{
	sys_msleep(ms);
}

enum cv_err port_nv_get(const char *name, void *out, size_t cap, size_t *len)
{
	return store_get(&store, name, out, cap, len);
}

enum cv_err port_nv_set(const char *name, const void *data, size_t len)
{
	return store_set(&store, name, data, len);
}

enum cv_err port_platform(struct evidence_platform *platform)
{
	memset(platform, 0, sizeof(*platform));
	strcpy(platform->hwmodel, "qemu-virt-rv32imc");
	strcpy(platform->swname, "conclave-mcu");
	strcpy(platform->swversion, CONCLAVE_VERSION);
	/* The machine has no debug module; what sees into the emulator itself is no port of it. */
	platform->dbgstat = EVIDENCE_DEBUG_DISABLED;
	platform->digest_count = 1;
	strcpy(platform->digests[0].name, "firmware");
	memcpy(platform->digests[0].value, firmware_digest, CV_HASH_BYTES);
	return CV_OK;
}

uint64_t port_instructions(void)
{
	return board_instructions();
}

void software_pin_show(const char *line)
{
	port_log(line);
}

/* Taken once and kept: later boots of the same run get the same memory. */
void *port_secret_memory(size_t len)
{
	static void *memory;
	static size_t size;

	if (memory == NULL) {
		memory = malloc(len);
		size = len;
		if (memory != NULL)
			memset(memory, 0, len);
	}
	return len == size ? memory : NULL;
}

void port_log(const char *line)
{
	board_print(line);
	board_print("\n");
}

void *heap_system_alloc(size_t size)
{
	return malloc(size);
}

void heap_system_free(void *p)
{
	free(p);
}
