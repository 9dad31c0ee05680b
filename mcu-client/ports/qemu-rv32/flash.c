#include "ports/qemu-rv32/flash.h"

#include <string.h>

#include "ports/qemu-rv32/board.h"

#define BASE 0x22000000u
#define BLOCK_BYTES 0x40000u
#define BOTH(command) ((uint32_t)(command) << 16 | (uint32_t)(command))

enum command {
	COMMAND_ERASE = 0x20,
	COMMAND_PROGRAM = 0x40,
	COMMAND_CLEAR_STATUS = 0x50,
	COMMAND_CONFIRM = 0xd0,
	COMMAND_READ = 0xff
};

#define STATUS_READY BOTH(0x80)
#define STATUS_ERRORS BOTH(0x3a)

static enum cv_err finish(uint32_t offset)
{
	uint32_t status;

	do {
		status = BOARD_REGISTER(BASE + offset);
	} while ((status & STATUS_READY) != STATUS_READY);
	if (status & STATUS_ERRORS)
		BOARD_REGISTER(BASE + offset) = BOTH(COMMAND_CLEAR_STATUS);
	BOARD_REGISTER(BASE + offset) = BOTH(COMMAND_READ);
	return status & STATUS_ERRORS ? CV_ERR_IO : CV_OK;
}

static enum cv_err flash_read(void *context, uint32_t offset, void *out, size_t len)
{
	const volatile uint8_t *p = (const volatile uint8_t *)(uintptr_t)(BASE + offset);
	uint8_t *to = out;

	(void)context;
	for (size_t i = 0; i < len; i++)
		to[i] = p[i];
	return CV_OK;
}

static enum cv_err flash_program(void *context, uint32_t offset, const void *data, size_t len)
{
	const uint8_t *p = data;
	enum cv_err err = CV_OK;

	(void)context;
	for (size_t i = 0; i < len && err == CV_OK; i += sizeof(uint32_t)) {
		uint32_t word;

		memcpy(&word, p + i, sizeof(word));
		BOARD_REGISTER(BASE + offset + i) = BOTH(COMMAND_PROGRAM);
		BOARD_REGISTER(BASE + offset + i) = word;
		err = finish(offset);
	}
	return err;
}

static enum cv_err flash_erase(void *context, uint32_t offset)
{
	(void)context;
	BOARD_REGISTER(BASE + offset) = BOTH(COMMAND_ERASE);
	BOARD_REGISTER(BASE + offset) = BOTH(COMMAND_CONFIRM);
	return finish(offset);
}

const struct store_flash flash_partition = {.read = flash_read,
	.program = flash_program,
	.erase = flash_erase,
	.bank_bytes = BLOCK_BYTES};
