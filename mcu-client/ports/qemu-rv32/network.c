#include "ports/qemu-rv32/network.h"

#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/sys.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/threads.h"
#include "ports/qemu-rv32/virtio.h"

#define HEADER_BYTES 12 /* struct virtio_net_hdr_v1 */
#define SEND_MAX (BOARD_MTU + 14)
#define RECEIVE_MAX 1514
#define RECEIVE_BUFFERS 2
#define FEATURE_MAC (1u << 5)
#define CONFIG_MAC 0x100

struct network_faults network_faults;

static struct virtio_queue receive_queue, send_queue;
static uint8_t receive_buffers[RECEIVE_BUFFERS][HEADER_BYTES + RECEIVE_MAX]
	__attribute__((aligned(4)));
static uint8_t send_buffer[HEADER_BYTES + SEND_MAX] __attribute__((aligned(4)));
static struct netif card;
static uintptr_t mmio;

static uint32_t fault_draw(void)
{
	network_faults.seed = network_faults.seed * 1664525u + 1013904223u;
	return network_faults.seed >> 24;
}

static int fault_strikes(uint8_t of_256)
{
	return of_256 != 0 && fault_draw() < of_256;
}

/* The one send buffer is free again once the card is done with it. */
static void send_wait(void)
{
	struct virtio_used used;

	while (virtio_busy(&send_queue) != 0)
		board_sleep(0);
	while (virtio_take(&send_queue, &used))
		;
}

static void frame_send(uint32_t len)
{
	virtio_give(&send_queue, 0, send_buffer, HEADER_BYTES + len, 0);
}

static err_t packet_send(struct netif *n, struct pbuf *p)
{
	uint32_t len;

	(void)n;
	send_wait();
	len = pbuf_copy_partial(p, send_buffer + HEADER_BYTES, SEND_MAX, 0);
	if (fault_strikes(network_faults.lose))
		return ERR_OK;
	if (fault_strikes(network_faults.cut))
		len = len / 2 + 1;
	frame_send(len);
	if (fault_strikes(network_faults.twice)) {
		send_wait();
		frame_send(len);
	}
	return ERR_OK;
}

static void frame_deliver(struct pbuf *p)
{
	if (card.input(p, &card) != ERR_OK)
		pbuf_free(p);
}

static void frame_take(const uint8_t *data, uint16_t len)
{
	static struct pbuf *held;
	struct pbuf *p;

	if (fault_strikes(network_faults.lose))
		return;
	if (fault_strikes(network_faults.cut))
		len = (uint16_t)(len / 2 + 1);
	p = pbuf_alloc(PBUF_RAW, len, PBUF_RAM);
	if (p == NULL)
		return;
	(void)pbuf_take(p, data, len);
	if (held == NULL && fault_strikes(network_faults.hold)) {
		held = p;
		return;
	}
	if (fault_strikes(network_faults.twice)) {
		struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);

		if (copy != NULL)
			frame_deliver(copy);
	}
	frame_deliver(p);
	if (held != NULL) {
		p = held;
		held = NULL;
		frame_deliver(p);
	}
}

static int receive_poll(void)
{
	struct virtio_used used;
	int any = 0;

	while (virtio_take(&receive_queue, &used)) {
		uint8_t *buffer = receive_buffers[used.id];

		if (used.len > HEADER_BYTES)
			frame_take(buffer + HEADER_BYTES, (uint16_t)(used.len - HEADER_BYTES));
		virtio_give(
			&receive_queue, (uint16_t)used.id, buffer, sizeof(receive_buffers[0]), 1);
		any = 1;
	}
	return any;
}

static err_t card_init(struct netif *n)
{
	n->name[0] = 'e';
	n->name[1] = '0';
	n->output = etharp_output;
	n->linkoutput = packet_send;
	n->mtu = BOARD_MTU;
	n->hwaddr_len = 6;
	for (size_t i = 0; i < 6; i++)
		n->hwaddr[i] = *(volatile uint8_t *)(mmio + CONFIG_MAC + i);
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		   NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

enum cv_err network_up(uint32_t timeout_ms)
{
	uint32_t start;

	mmio = virtio_find(VIRTIO_NET);
	if (mmio == 0)
		return CV_ERR_NOT_FOUND;
	virtio_begin(mmio, FEATURE_MAC);
	virtio_queue_init(&receive_queue, mmio, 0);
	virtio_queue_init(&send_queue, mmio, 1);
	virtio_ready(mmio);
	for (uint16_t i = 0; i < RECEIVE_BUFFERS; i++)
		virtio_give(&receive_queue, i, receive_buffers[i], sizeof(receive_buffers[i]), 1);
	board_interrupt_enable(mmio);
	tcpip_init(NULL, NULL);
	LOCK_TCPIP_CORE();
	netif_add(&card, NULL, NULL, NULL, NULL, card_init, tcpip_input);
	netif_set_default(&card);
	netif_set_up(&card);
	(void)dhcp_start(&card);
	UNLOCK_TCPIP_CORE();
	threads_poll_set(receive_poll, mmio);
	start = sys_now();
	while (!dhcp_supplied_address(&card)) {
		if (sys_now() - start > timeout_ms)
			return CV_ERR_TIMEOUT;
		sys_msleep(10);
	}
	return CV_OK;
}
