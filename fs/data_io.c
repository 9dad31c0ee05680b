#include "fs/data_io.h"

#include <stdlib.h>

#include "protocol/crypto.h"

void data_pool_init(struct data_pool *p)
{
	(void)pthread_mutex_init(&p->lock, NULL);
	p->idle = NULL;
}

void data_pool_wipe(struct data_pool *p)
{
	while (p->idle) {
		struct data_io *io = p->idle;

		p->idle = io->next;
		keyring_user_wipe(&io->keys);
		crypto_wipe(io->buf, sizeof(io->buf));
		free(io);
	}
	(void)pthread_mutex_destroy(&p->lock);
}

enum cv_err data_io_get(struct data_pool *p, const struct keyring *k, struct data_io **out)
{
	enum cv_err err = CV_ERR_INTERNAL;
	struct data_io *io;

	(void)pthread_mutex_lock(&p->lock);
	io = p->idle;
	if (io)
		p->idle = io->next;
	(void)pthread_mutex_unlock(&p->lock);
	*out = io;
	if (io)
		return CV_OK;
	io = malloc(sizeof(*io));
	if (!io)
		return CV_ERR_MEMORY;
	err = keyring_user_init(&io->keys, k);
	if (err) {
		free(io);
		return err;
	}
	*out = io;
	return CV_OK;
}

void data_io_put(struct data_pool *p, struct data_io *io)
{
	if (!io)
		return;
	(void)pthread_mutex_lock(&p->lock);
	io->next = p->idle;
	p->idle = io;
	(void)pthread_mutex_unlock(&p->lock);
}
