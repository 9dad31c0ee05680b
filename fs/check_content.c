/* The blocks of files: each is read and opened under its tag. */
#include <inttypes.h>

#include "fs/check_state.h"
#include "fs/data_blocks.h"

static enum cv_err check_block(
	struct check *c, uint64_t object, uint64_t index, const struct map_entry *e)
{
	enum cv_err err = blocks_read(c->v, e, 1, c->block);

	if (err == CV_ERR_MEMORY)
		return err;
	if (err)
		check_problem(c, object, e->block, "block %" PRIu64 " of the file (byte %" PRIu64 "): %s",
			index, index * BLOCK_BYTES, cv_err_text(err));
	return CV_OK;
}

/* A run is read as one; only what does not open is looked at block by block. */
static enum cv_err check_run(
	struct check *c, uint64_t object, uint64_t index, const struct map_entry *e, size_t count)
{
	enum cv_err err = check_refer(c, object, e[0].block, count, "data");

	if (err)
		return err;
	c->report->data_blocks += count;
	err = blocks_read(c->v, e, count, c->block);
	if (!err || err == CV_ERR_MEMORY)
		return err;
	err = CV_OK;
	for (size_t i = 0; i < count && !err; i++)
		err = check_block(c, object, index + i, &e[i]);
	return err;
}

enum cv_err check_map(
	struct check *c, const struct item_key *key, const uint8_t *value, size_t len)
{
	struct map_entry e[MAP_BLOCKS];
	unsigned count = (unsigned)(len / MAP_ENTRY_BYTES);
	enum cv_err err = CV_OK;

	for (unsigned i = 0; i < count; i++)
		map_entry_get(&e[i], value, len, i);
	for (unsigned i = 0; i < count && !err;) {
		uint64_t index = key->offset * MAP_BLOCKS + i;
		unsigned run = (unsigned)blocks_run(&e[i], count - i);

		if (e[i].block) {
			c->now.mapped += run;
			c->now.last_mapped = index + run;
			err = check_run(c, key->object, index, &e[i], run);
		}
		i += run;
	}
	return err;
}
