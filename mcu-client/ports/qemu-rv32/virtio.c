#include "ports/qemu-rv32/virtio.h"

#include "ports/qemu-rv32/board.h"

#define FIRST 0x10001000u
#define LAST 0x10008000u
#define STEP 0x1000u
#define MAGIC 0x74726976u

enum registers {
	REG_MAGIC = 0x00,
	REG_VERSION = 0x04,
	REG_DEVICE = 0x08,
	REG_FEATURES = 0x20,
	REG_FEATURES_SELECT = 0x24,
	REG_QUEUE = 0x30,
	REG_QUEUE_SIZE = 0x38,
	REG_QUEUE_READY = 0x44,
	REG_NOTIFY = 0x50,
	REG_STATUS = 0x70,
	REG_DESCRIPTORS = 0x80,
	REG_AVAILABLE = 0x90,
	REG_USED = 0xa0
};

enum status {
	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8
};

#define DESCRIPTOR_WRITABLE 2

static void fence(void)
{
	__asm__ volatile("fence" ::: "memory");
}

uintptr_t virtio_find(uint32_t device)
{
	for (uintptr_t mmio = FIRST; mmio <= LAST; mmio += STEP)
		if (BOARD_REGISTER(mmio + REG_MAGIC) == MAGIC &&
			BOARD_REGISTER(mmio + REG_VERSION) == 2 &&
			BOARD_REGISTER(mmio + REG_DEVICE) == device)
			return mmio;
	return 0;
}

void virtio_begin(uintptr_t mmio, uint32_t features)
{
	BOARD_REGISTER(mmio + REG_STATUS) = 0;
	BOARD_REGISTER(mmio + REG_STATUS) = STATUS_ACKNOWLEDGE;
	BOARD_REGISTER(mmio + REG_STATUS) = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
	BOARD_REGISTER(mmio + REG_FEATURES_SELECT) = 0;
	BOARD_REGISTER(mmio + REG_FEATURES) = features;
	BOARD_REGISTER(mmio + REG_FEATURES_SELECT) = 1;
	BOARD_REGISTER(mmio + REG_FEATURES) = 1; /* VIRTIO_F_VERSION_1 */
	BOARD_REGISTER(mmio + REG_STATUS) = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
}

static void address_set(uintptr_t mmio, uint32_t reg, const volatile void *p)
{
	BOARD_REGISTER(mmio + reg) = (uint32_t)(uintptr_t)p;
	BOARD_REGISTER(mmio + reg + 4) = 0;
}

void virtio_queue_init(struct virtio_queue *q, uintptr_t mmio, uint16_t number)
{
	q->mmio = mmio;
	q->number = number;
	BOARD_REGISTER(mmio + REG_QUEUE) = number;
	BOARD_REGISTER(mmio + REG_QUEUE_SIZE) = VIRTIO_QUEUE_SIZE;
	address_set(mmio, REG_DESCRIPTORS, q->descriptors);
	address_set(mmio, REG_AVAILABLE, &q->available);
	address_set(mmio, REG_USED, &q->used);
	BOARD_REGISTER(mmio + REG_QUEUE_READY) = 1;
}

void virtio_ready(uintptr_t mmio)
{
	BOARD_REGISTER(mmio + REG_STATUS) = STATUS_ACKNOWLEDGE | STATUS_DRIVER |
					    STATUS_FEATURES_OK | STATUS_DRIVER_OK;
}

void virtio_give(struct virtio_queue *q, uint16_t slot, void *buffer, uint32_t len, int writable)
{
	q->descriptors[slot].address = (uintptr_t)buffer;
	q->descriptors[slot].len = len;
	q->descriptors[slot].flags = writable ? DESCRIPTOR_WRITABLE : 0;
	q->available.ring[q->available.index % VIRTIO_QUEUE_SIZE] = slot;
	fence();
	q->available.index++;
	fence();
	BOARD_REGISTER(q->mmio + REG_NOTIFY) = q->number;
}

int virtio_take(struct virtio_queue *q, struct virtio_used *used)
{
	if (q->used.index == q->seen)
		return 0;
	fence();
	*used = q->used.ring[q->seen++ % VIRTIO_QUEUE_SIZE];
	return 1;
}

uint16_t virtio_busy(const struct virtio_queue *q)
{
	return (uint16_t)(q->available.index - q->used.index);
}
