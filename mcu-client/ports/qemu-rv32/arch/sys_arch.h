/* lwIP's semaphores and mailboxes over two cooperative threads (threads.c). */
#ifndef ARCH_SYS_ARCH_H
#define ARCH_SYS_ARCH_H

#include <stdint.h>

#define SYS_MBOX_SLOTS 16

typedef struct {
	volatile uint8_t count;
	uint8_t valid;
} sys_sem_t;
typedef sys_sem_t sys_mutex_t;

typedef struct {
	void *slots[SYS_MBOX_SLOTS];
	volatile uint8_t head;
	volatile uint8_t used;
	uint8_t valid;
} sys_mbox_t;

typedef int sys_thread_t;
typedef int sys_prot_t;

#define sys_sem_valid(s) ((s)->valid)
#define sys_sem_set_invalid(s) ((s)->valid = 0)
#define sys_mutex_valid(s) ((s)->valid)
#define sys_mutex_set_invalid(s) ((s)->valid = 0)
#define sys_mbox_valid(s) ((s)->valid)
#define sys_mbox_set_invalid(s) ((s)->valid = 0)

#endif
