#include <lwip/opt.h>

#include <string.h>

#include <lwip/sys.h>
#include "ports/qemu-rv32/board.h"
#include "ports/qemu-rv32/threads.h"

#define THREADS_MAX 2
#define FRAME_BYTES 64 /* what thread_switch saves */
#define PAINT 0xa5

struct thread {
	uintptr_t sp;
	lwip_thread_fn run;
	void *argument;
};

void thread_switch(uintptr_t *save_sp, uintptr_t load_sp);

static struct thread threads[THREADS_MAX];
static int thread_count = 1, current;
static int progress, idle_rounds;
static int (*poll_device)(void);
static uintptr_t poll_mmio;
static uint8_t stack[TCPIP_THREAD_STACKSIZE] __attribute__((aligned(16)));

void threads_poll_set(int (*poll)(void), uintptr_t mmio)
{
	poll_device = poll;
	poll_mmio = mmio;
}

static void thread_yield(void)
{
	int from = current;

	if (poll_device != NULL && poll_device())
		progress = 1;
	if (progress) {
		progress = 0;
		idle_rounds = 0;
	} else if (++idle_rounds > thread_count) {
		board_sleep(poll_mmio);
	}
	if (thread_count > 1) {
		current = (current + 1) % thread_count;
		thread_switch(&threads[from].sp, threads[current].sp);
	}
}

static void thread_entry(void)
{
	threads[current].run(threads[current].argument);
	board_panic();
}

sys_thread_t sys_thread_new(
	const char *name, lwip_thread_fn run, void *argument, int stack_size, int priority)
{
	struct thread *t = &threads[thread_count];
	uintptr_t sp = (uintptr_t)stack + sizeof(stack) - FRAME_BYTES;

	(void)name;
	(void)priority;
	if (thread_count == THREADS_MAX || (size_t)stack_size > sizeof(stack))
		board_panic();
	memset(stack, PAINT, sizeof(stack));
	memset((void *)sp, 0, FRAME_BYTES);
	*(uintptr_t *)sp = (uintptr_t)thread_entry;
	t->run = run;
	t->argument = argument;
	t->sp = sp;
	return thread_count++;
}

size_t threads_stack_used(size_t *size)
{
	size_t untouched = 0;

	while (untouched < sizeof(stack) && stack[untouched] == PAINT)
		untouched++;
	*size = sizeof(stack);
	return sizeof(stack) - untouched;
}

u32_t sys_now(void)
{
	return (u32_t)(board_microseconds() / 1000);
}

void sys_init(void)
{
}

err_t sys_sem_new(sys_sem_t *s, u8_t count)
{
	s->count = count;
	s->valid = 1;
	return ERR_OK;
}

void sys_sem_free(sys_sem_t *s)
{
	s->valid = 0;
}

void sys_sem_signal(sys_sem_t *s)
{
	s->count++;
	progress = 1;
}

u32_t sys_arch_sem_wait(sys_sem_t *s, u32_t timeout_ms)
{
	u32_t start = sys_now();

	while (s->count == 0) {
		if (timeout_ms != 0 && sys_now() - start >= timeout_ms)
			return SYS_ARCH_TIMEOUT;
		thread_yield();
	}
	s->count--;
	return sys_now() - start;
}

err_t sys_mutex_new(sys_mutex_t *m)
{
	return sys_sem_new(m, 1);
}

void sys_mutex_lock(sys_mutex_t *m)
{
	(void)sys_arch_sem_wait(m, 0);
}

void sys_mutex_unlock(sys_mutex_t *m)
{
	sys_sem_signal(m);
}

void sys_mutex_free(sys_mutex_t *m)
{
	m->valid = 0;
}

err_t sys_mbox_new(sys_mbox_t *m, int size)
{
	if (size > SYS_MBOX_SLOTS)
		return ERR_MEM;
	memset(m, 0, sizeof(*m));
	m->valid = 1;
	return ERR_OK;
}

void sys_mbox_free(sys_mbox_t *m)
{
	m->valid = 0;
}

err_t sys_mbox_trypost(sys_mbox_t *m, void *message)
{
	if (m->used == SYS_MBOX_SLOTS)
		return ERR_MEM;
	m->slots[(m->head + m->used) % SYS_MBOX_SLOTS] = message;
	m->used++;
	progress = 1;
	return ERR_OK;
}

err_t sys_mbox_trypost_fromisr(sys_mbox_t *m, void *message)
{
	return sys_mbox_trypost(m, message);
}

void sys_mbox_post(sys_mbox_t *m, void *message)
{
	while (sys_mbox_trypost(m, message) != ERR_OK)
		thread_yield();
}

u32_t sys_arch_mbox_tryfetch(sys_mbox_t *m, void **message)
{
	void *taken;

	if (m->used == 0)
		return SYS_MBOX_EMPTY;
	taken = m->slots[m->head];
	m->head = (uint8_t)((m->head + 1) % SYS_MBOX_SLOTS);
	m->used--;
	if (message != NULL)
		*message = taken;
	return 0;
}

u32_t sys_arch_mbox_fetch(sys_mbox_t *m, void **message, u32_t timeout_ms)
{
	u32_t start = sys_now();

	while (sys_arch_mbox_tryfetch(m, message) == SYS_MBOX_EMPTY) {
		if (timeout_ms != 0 && sys_now() - start >= timeout_ms)
			return SYS_ARCH_TIMEOUT;
		thread_yield();
	}
	return sys_now() - start;
}
