/* Virtio 1.1 over MMIO (sections 2.6 and 4.2), split queues, polled. */
#ifndef CONCLAVE_MCU_VIRTIO_H
#define CONCLAVE_MCU_VIRTIO_H

#include <stdint.h>

#define VIRTIO_NET 1
#define VIRTIO_ENTROPY 4
#define VIRTIO_QUEUE_SIZE 4

struct virtio_descriptor {
	uint64_t address;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct virtio_used {
	uint32_t id;
	uint32_t len;
};

struct virtio_queue {
	struct virtio_descriptor descriptors[VIRTIO_QUEUE_SIZE] __attribute__((aligned(16)));
	struct {
		uint16_t flags;
		uint16_t index;
		uint16_t ring[VIRTIO_QUEUE_SIZE];
		uint16_t event;
	} available __attribute__((aligned(2)));
	struct {
		uint16_t flags;
		volatile uint16_t index;
		struct virtio_used ring[VIRTIO_QUEUE_SIZE];
		uint16_t event;
	} used __attribute__((aligned(4)));
	uintptr_t mmio;
	uint16_t number;
	uint16_t seen;
};

/* 0 if there is no such device. */
uintptr_t virtio_find(uint32_t device);
void virtio_begin(uintptr_t mmio, uint32_t features);
void virtio_queue_init(struct virtio_queue *q, uintptr_t mmio, uint16_t number);
void virtio_ready(uintptr_t mmio);
/* Gives buffer `slot` to the device; writable: the device fills it. */
void virtio_give(struct virtio_queue *q, uint16_t slot, void *buffer, uint32_t len, int writable);
/* 1 and the next buffer that the device is done with, or 0. */
int virtio_take(struct virtio_queue *q, struct virtio_used *used);
/* Buffers that the device still has. */
uint16_t virtio_busy(const struct virtio_queue *q);

#endif
