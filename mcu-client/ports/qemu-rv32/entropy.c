/* Randomness from virtio-rng, for PSA and for lwIP. */
#include <string.h>

#include <psa/crypto.h>

#include "arch/cc.h"
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/virtio.h"
#include "protocol/crypto.h"

#define CHUNK 64

static struct virtio_queue queue;

static int entropy_read(uint8_t *out, size_t len)
{
	static uint8_t chunk[CHUNK];
	struct virtio_used used;

	if (queue.mmio == 0) {
		uintptr_t mmio = virtio_find(VIRTIO_ENTROPY);

		if (mmio == 0)
			return -1;
		virtio_begin(mmio, 0);
		virtio_queue_init(&queue, mmio, 0);
		virtio_ready(mmio);
	}
	while (len > 0) {
		size_t got;

		virtio_give(&queue, 0, chunk, sizeof(chunk), 1);
		while (!virtio_take(&queue, &used))
			board_sleep(0);
		got = used.len < len ? used.len : len;
		memcpy(out, chunk, got);
		out += got;
		len -= got;
	}
	crypto_wipe(chunk, sizeof(chunk));
	return 0;
}

uint32_t board_random32(void)
{
	uint32_t value = 0;

	if (entropy_read((uint8_t *)&value, sizeof(value)) != 0)
		board_panic();
	return value;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
	uint8_t *output, size_t size, size_t *output_length)
{
	(void)context;
	if (entropy_read(output, size) != 0)
		return PSA_ERROR_INSUFFICIENT_ENTROPY;
	*output_length = size;
	return PSA_SUCCESS;
}
