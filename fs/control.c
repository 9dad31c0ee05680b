#include "fs/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cjson/cJSON.h>

#include "fs/checkpoint.h"
#include "fs/counters.h"
#include "fs/reap.h"
#include "host/log.h"

static void send_message(int fd, const struct volume_ctl_message *message)
{
	ssize_t n;

	do
		n = send(fd, message, sizeof(*message), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EPIPE && errno != ECONNRESET)
		log_warning("control: %s", strerror(errno));
}

void control_ready(int fd, const struct volume *volume)
{
	struct volume_ctl_message m = { .type = VOLUME_CTL_READY,
		.generation = volume_generation(volume),
		.epoch = volume_epoch(volume) };
	const char *kind = volume_kind(volume) == VOLUME_SLOT_RECOVERY ? "recovery" : "share-set";

	(void)snprintf(m.text, sizeof(m.text), "%s", kind);
	send_message(fd, &m);
}

void control_failed(int fd, enum cv_err err, const char *text)
{
	struct volume_ctl_message m = { .type = VOLUME_CTL_FAILED, .error = err };

	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	send_message(fd, &m);
}

void control_closed(int fd, uint64_t generation, enum cv_err err)
{
	struct volume_ctl_message m = {
		.type = VOLUME_CTL_CLOSED, .error = err, .generation = generation
	};

	send_message(fd, &m);
}

void control_idle(int fd)
{
	const struct volume_ctl_message m = { .type = VOLUME_CTL_IDLE };

	send_message(fd, &m);
}

static void add_number(cJSON *doc, const char *name, uint64_t value)
{
	(void)cJSON_AddNumberToObject(doc, name, (double)value);
}

/* What the volume itself knows. Volume lock held. */
static void add_volume(cJSON *doc, const struct volume *v)
{
	uint64_t unused = volume_blocks(v) - v->alloc.used_blocks;
	const struct node_cache *c = &v->tree.cache;
	cJSON *cache;

	add_number(doc, "size", volume_blocks(v) * BLOCK_BYTES);
	add_number(doc, "used", v->alloc.used_blocks * BLOCK_BYTES);
	add_number(doc, "free", checkpoint_room(v, unused) * BLOCK_BYTES);
	add_number(doc, "objects", v->super->objects);
	(void)cJSON_AddBoolToObject(doc, "read_only", v->read_only);
	(void)cJSON_AddBoolToObject(doc, "dirty", v->dirty);
	(void)cJSON_AddBoolToObject(doc, "frozen", v->frozen);
	add_number(doc, "tampered", v->tampered);
	if (v->super->rekey_born) {
		cJSON *rekey = cJSON_AddObjectToObject(doc, "rekey");

		add_number(rekey, "blocks", v->rekey_done);
		add_number(rekey, "of", v->alloc.used_blocks);
	}
	cache = cJSON_AddObjectToObject(doc, "cache");
	add_number(cache, "hits", c->hits);
	add_number(cache, "misses", c->misses);
	add_number(cache, "nodes", c->clean.count + c->dirty.count);
	add_number(cache, "nodes_max", c->clean_max);
	add_number(doc, "frames", log_newest(&v->log));
	add_number(doc, "frames_durable", v->log.durable);
}

static void add_counters(cJSON *doc, struct counters *c)
{
	cJSON *requests = cJSON_AddObjectToObject(doc, "requests");

	for (enum counters_kind k = 0; k < COUNTERS_KINDS; k++)
		add_number(requests, counters_kind_name(k), atomic_load(&c->kinds[k]));
	add_number(doc, "bytes_read", atomic_load(&c->bytes_read));
	add_number(doc, "bytes_written", atomic_load(&c->bytes_written));
	add_number(doc, "io_errors", atomic_load(&c->io_errors));
	add_number(doc, "no_space", atomic_load(&c->full));
	add_number(doc, "idle_s", counters_idle_ms(c) / 1000);
}

void control_status(int fd, struct volume *v, struct mount *mount, enum cv_err err)
{
	struct volume_ctl_message m = { .type = VOLUME_CTL_STATUS, .error = err };
	struct counters *counters = mount_counters(mount);
	char last[MOUNT_ERROR_MAX];
	cJSON *doc = cJSON_CreateObject();

	(void)pthread_mutex_lock(&v->lock);
	reap_waiting(v);
	m.generation = v->durable_generation;
	m.epoch = volume_epoch(v);
	add_volume(doc, v);
	(void)pthread_mutex_unlock(&v->lock);
	add_number(doc, "generation", m.generation);
	add_number(doc, "checkpoints", m.generation - counters->first_generation);
	add_counters(doc, counters);
	mount_last_error(mount, last);
	if (last[0])
		(void)cJSON_AddStringToObject(doc, "last_error", last);
	if (!doc || !cJSON_PrintPreallocated(doc, m.text, sizeof(m.text), 0))
		(void)snprintf(m.text, sizeof(m.text), "{}");
	cJSON_Delete(doc);
	send_message(fd, &m);
}

int control_receive(int fd, struct volume_ctl_message *message)
{
	ssize_t n;

	do
		n = recv(fd, message, sizeof(*message), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n != (ssize_t)sizeof(*message))
		return -1;
	message->text[VOLUME_CTL_TEXT_MAX - 1] = '\0';
	return 1;
}
