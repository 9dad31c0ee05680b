/* A superblock: its clear half without any key, its sealed half as it comes out of decryption. */
#include <stdlib.h>

#include "fs/super.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *block = calloc(1, BLOCK_BYTES);
	struct super *s = calloc(1, sizeof(*s));

	memcpy(block, data, size < BLOCK_BYTES ? size : BLOCK_BYTES);
	if (super_peek(&s->clear, block) == CV_OK || size < SUPER_CLEAR_BYTES) {
		if (s->clear.blocks == 0)
			s->clear.blocks = 16384;
		if (s->clear.generation == 0)
			s->clear.generation = 9;
	}
	/* taken means: everything that is used without another look is in its bounds */
	if (super_decode(s, block + BLOCK_BYTES - SUPER_SEALED_BYTES) == CV_OK &&
		(s->root.block + NODE_BLOCKS > s->clear.blocks ||
			s->log.ring + s->log.blocks > s->clear.blocks ||
			s->active_key >= KEYRING_SLOTS ||
			s->keyring[s->active_key].state != KEY_ACTIVE))
		abort();
	free(s);
	free(block);
	return 0;
}
