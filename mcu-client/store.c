#include "store.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/nv_format.h"

#define CHUNK 64 /* a multiple of NV_ALIGN */

struct found {
	struct nv_record record;
	char name[NV_NAME_MAX + 1];
	uint32_t at; /* offset of the record in its bank */
};

static enum cv_err flash_read(
	const struct store *s, uint32_t base, uint32_t at, void *out, size_t len)
{
	if (at > s->flash->bank_bytes || len > s->flash->bank_bytes - at)
		return CV_ERR_IO;
	return s->flash->read(s->flash->context, base + at, out, len);
}

/* CV_OK if everything from `at` to the end of the bank is erased, else CV_ERR_TAMPERED. */
static enum cv_err erased_check(const struct store *s, uint32_t at)
{
	uint8_t chunk[CHUNK];

	while (at < s->flash->bank_bytes) {
		uint32_t left = s->flash->bank_bytes - at;
		size_t n = left < CHUNK ? left : CHUNK;
		enum cv_err err = flash_read(s, s->base, at, chunk, n);

		if (err != CV_OK)
			return err;
		for (size_t i = 0; i < n; i++)
			if (chunk[i] != 0xff)
				return CV_ERR_TAMPERED;
		at += (uint32_t)n;
	}
	return CV_OK;
}

/* CRC of a record's name and data as they are in flash; the name goes into f->name. */
static enum cv_err record_crc(const struct store *s, struct found *f, uint32_t *crc)
{
	uint32_t at = f->at + NV_RECORD_HEADER_BYTES + f->record.name_len;
	size_t left = f->record.data_len;
	uint8_t chunk[CHUNK];
	enum cv_err err =
		flash_read(s, s->base, f->at + NV_RECORD_HEADER_BYTES, f->name, f->record.name_len);

	if (err != CV_OK)
		return err;
	f->name[f->record.name_len] = 0;
	*crc = nv_crc(0, f->name, f->record.name_len);
	while (left > 0 && err == CV_OK) {
		size_t n = left < CHUNK ? left : CHUNK;

		err = flash_read(s, s->base, at, chunk, n);
		if (err == CV_OK)
			*crc = nv_crc(*crc, chunk, n);
		at += (uint32_t)n;
		left -= n;
	}
	crypto_wipe(chunk, sizeof(chunk));
	return err;
}

/* The record at f->at. CV_ERR_NOT_FOUND: erased from here on. CV_ERR_FORMAT: torn here. */
static enum cv_err record_read(const struct store *s, struct found *f)
{
	uint8_t header[NV_RECORD_HEADER_BYTES];
	uint32_t crc = 0;
	enum cv_err err;

	if (s->flash->bank_bytes - f->at < NV_RECORD_HEADER_BYTES)
		return CV_ERR_NOT_FOUND;
	err = flash_read(s, s->base, f->at, header, sizeof(header));
	if (err != CV_OK)
		return err;
	if (nv_record_header_decode(&f->record, header) != CV_OK) {
		if (erased_check(s, f->at) == CV_OK)
			return CV_ERR_NOT_FOUND;
		err = erased_check(s, f->at + NV_RECORD_HEADER_BYTES);
		return err == CV_OK ? CV_ERR_FORMAT : err;
	}
	if (nv_record_size(&f->record) > s->flash->bank_bytes - f->at)
		return CV_ERR_TAMPERED;
	err = record_crc(s, f, &crc);
	if (err == CV_OK && crc != f->record.crc) {
		err = erased_check(s, f->at + (uint32_t)nv_record_size(&f->record));
		return err == CV_OK ? CV_ERR_FORMAT : err;
	}
	return err;
}

/*
 * The newest record of `name`; NULL finds none and so only walks to the end, which is walk->at.
 * Once store_open knows the end, what lies behind it is not read again.
 */
static enum cv_err record_find(
	const struct store *s, const char *name, struct found *newest, struct found *walk)
{
	uint32_t end = s->end != 0 ? s->end : s->flash->bank_bytes;
	enum cv_err err;
	int have = 0;

	walk->at = NV_BANK_HEADER_BYTES;
	while (walk->at < end) {
		err = record_read(s, walk);
		if (err == CV_ERR_NOT_FOUND || err == CV_ERR_FORMAT) {
			if (s->end == 0)
				break;
			err = CV_ERR_TAMPERED; /* it was whole when the store was opened */
		}
		if (err != CV_OK)
			return err;
		if (name != NULL && strcmp(walk->name, name) == 0) {
			*newest = *walk;
			have = 1;
		}
		walk->at += (uint32_t)nv_record_size(&walk->record);
	}
	return have ? CV_OK : CV_ERR_NOT_FOUND;
}

/* 1 if the bank at `base` has a header, with its sequence. */
static enum cv_err bank_read(const struct store *s, uint32_t base, uint32_t *sequence)
{
	uint8_t header[NV_BANK_HEADER_BYTES];
	enum cv_err err = flash_read(s, base, 0, header, sizeof(header));

	return err == CV_OK ? nv_bank_header_decode(sequence, header) : err;
}

enum cv_err store_open(struct store *s, const struct store_flash *flash)
{
	struct found newest, walk;
	uint32_t sequences[2] = {0, 0};
	enum cv_err banks[2], err;
	size_t use;

	*s = (struct store){.flash = flash};
	for (size_t i = 0; i < 2; i++) {
		banks[i] = bank_read(s, (uint32_t)i * flash->bank_bytes, &sequences[i]);
		if (banks[i] == CV_ERR_VERSION || banks[i] == CV_ERR_IO)
			return banks[i];
	}
	if (banks[0] != CV_OK && banks[1] != CV_OK)
		return CV_ERR_NOT_FOUND;
	use = banks[0] != CV_OK || (banks[1] == CV_OK && sequences[1] > sequences[0]);
	s->base = (uint32_t)use * flash->bank_bytes;
	s->sequence = sequences[use];
	err = record_find(s, NULL, &newest, &walk);
	if (err != CV_ERR_NOT_FOUND)
		return err;
	s->end = walk.at;
	s->torn = erased_check(s, s->end) != CV_OK;
	return CV_OK;
}

enum cv_err store_get(const struct store *s, const char *name, void *out, size_t cap, size_t *len)
{
	struct found newest, walk;
	enum cv_err err = record_find(s, name, &newest, &walk);

	if (err != CV_OK)
		return err;
	if (newest.record.data_len > cap)
		return CV_ERR_TOO_LONG;
	err = flash_read(s, s->base,
		newest.at + NV_RECORD_HEADER_BYTES + newest.record.name_len, out,
		newest.record.data_len);
	if (err == CV_OK)
		*len = newest.record.data_len;
	return err;
}

/* Gathers bytes into whole words, so that flash is programmed in multiples of NV_ALIGN. */
struct writer {
	const struct store *store;
	uint32_t base;
	uint32_t at;
	size_t have;
	uint8_t chunk[CHUNK];
};

static enum cv_err writer_flush(struct writer *w)
{
	const struct store_flash *flash = w->store->flash;
	uint8_t check[CHUNK];
	enum cv_err err;

	while (w->have % NV_ALIGN != 0)
		w->chunk[w->have++] = 0xff;
	if (w->have == 0)
		return CV_OK;
	err = flash->program(flash->context, w->base + w->at, w->chunk, w->have);
	if (err == CV_OK)
		err = flash_read(w->store, w->base, w->at, check, w->have);
	if (err == CV_OK && memcmp(check, w->chunk, w->have) != 0)
		err = CV_ERR_IO;
	w->at += (uint32_t)w->have;
	w->have = 0;
	crypto_wipe(w->chunk, sizeof(w->chunk));
	crypto_wipe(check, sizeof(check));
	return err;
}

static enum cv_err writer_put(struct writer *w, const void *data, size_t len)
{
	const uint8_t *p = data;
	enum cv_err err = CV_OK;

	while (len > 0 && err == CV_OK) {
		size_t n = CHUNK - w->have < len ? CHUNK - w->have : len;

		memcpy(w->chunk + w->have, p, n);
		w->have += n;
		p += n;
		len -= n;
		if (w->have == CHUNK)
			err = writer_flush(w);
	}
	return err;
}

static enum cv_err record_write(
	struct writer *w, const struct nv_record *r, const char *name, const void *data)
{
	uint8_t header[NV_RECORD_HEADER_BYTES];
	enum cv_err err;

	nv_record_header_encode(header, r);
	err = writer_put(w, header, sizeof(header));
	if (err == CV_OK)
		err = writer_put(w, name, r->name_len);
	if (err == CV_OK)
		err = writer_put(w, data, r->data_len);
	return err == CV_OK ? writer_flush(w) : err;
}

/* Copies a record from the bank in use to the writer's, byte for byte. */
static enum cv_err record_copy(struct writer *w, const struct found *f)
{
	uint32_t at = f->at;
	size_t left = nv_record_size(&f->record);
	uint8_t chunk[CHUNK];
	enum cv_err err = CV_OK;

	if (left > w->store->flash->bank_bytes - w->at)
		return CV_ERR_FULL;
	while (left > 0 && err == CV_OK) {
		size_t n = left < CHUNK ? left : CHUNK;

		err = flash_read(w->store, w->store->base, at, chunk, n);
		if (err == CV_OK)
			err = writer_put(w, chunk, n);
		at += (uint32_t)n;
		left -= n;
	}
	crypto_wipe(chunk, sizeof(chunk));
	return err == CV_OK ? writer_flush(w) : err;
}

/* The newest record of every name but `except`. */
static enum cv_err records_move(struct writer *w, const char *except)
{
	const struct store *s = w->store;
	struct found f = {.at = NV_BANK_HEADER_BYTES}, newest, walk;
	enum cv_err err = CV_OK;

	while (f.at < s->end && err == CV_OK) {
		err = record_read(s, &f);
		if (err == CV_OK && strcmp(f.name, except) != 0) {
			err = record_find(s, f.name, &newest, &walk);
			if (err == CV_OK && newest.at == f.at)
				err = record_copy(w, &f);
		}
		f.at += (uint32_t)nv_record_size(&f.record);
	}
	return err;
}

/* Moves to the other bank, with the new value; its header makes it the bank in use. */
static enum cv_err bank_move(
	struct store *s, const struct nv_record *r, const char *name, const void *data)
{
	const struct store_flash *flash = s->flash;
	struct writer w = {.store = s, .base = s->base == 0 ? flash->bank_bytes : 0,
		.at = NV_BANK_HEADER_BYTES};
	uint8_t header[NV_BANK_HEADER_BYTES];
	uint32_t end, old = s->base;
	enum cv_err err = flash->erase(flash->context, w.base);

	if (err == CV_OK)
		err = records_move(&w, name);
	if (err == CV_OK && nv_record_size(r) > flash->bank_bytes - w.at)
		err = CV_ERR_FULL;
	if (err == CV_OK)
		err = record_write(&w, r, name, data);
	if (err != CV_OK)
		return err;
	end = w.at;
	nv_bank_header_encode(header, s->sequence + 1);
	w.at = 0;
	err = writer_put(&w, header, sizeof(header));
	if (err == CV_OK)
		err = writer_flush(&w);
	if (err != CV_OK)
		return err;
	s->base = w.base;
	s->end = end;
	s->sequence++;
	s->torn = 0;
	return flash->erase(flash->context, old); /* old counters and keys are not left behind */
}

enum cv_err store_set(struct store *s, const char *name, const void *data, size_t len)
{
	size_t name_len = strlen(name);
	struct nv_record r = {.name_len = (uint8_t)name_len, .data_len = (uint16_t)len};
	struct writer w = {.store = s, .base = s->base, .at = s->end};
	enum cv_err err;

	if (name_len == 0 || name_len > NV_NAME_MAX || len > NV_DATA_MAX)
		return CV_ERR_TOO_LONG;
	r.crc = nv_crc(nv_crc(0, name, name_len), data, len);
	if (s->torn || nv_record_size(&r) > s->flash->bank_bytes - s->end)
		return bank_move(s, &r, name, data);
	s->torn = 1; /* until it is whole */
	err = record_write(&w, &r, name, data);
	if (err != CV_OK)
		return err;
	s->end = w.at;
	s->torn = 0;
	return CV_OK;
}
