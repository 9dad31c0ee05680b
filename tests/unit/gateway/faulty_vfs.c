#include "tests/unit/gateway/faulty_vfs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sqlite3.h>

struct faulty_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static struct faulty_order *order;
static sqlite3_vfs *real_vfs;

struct faulty_order *faulty_order_new(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct faulty_file *)f)->real;
}

/* True once the ordered operation is reached. */
static int due(void)
{
	if (order->action == FAULTY_NONE) {
		order->operations++;
		return 0;
	}
	if (order->countdown > 1) {
		order->countdown--;
		return 0;
	}
	if (order->action == FAULTY_KILL)
		raise(SIGKILL);
	return 1;
}

static int on_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
	sqlite3_file *real = real_of(f);

	if (due() && order->action == FAULTY_FULL)
		return SQLITE_FULL;
	if (order->action == FAULTY_KILL_HALF && order->countdown <= 1) {
		(void)real->pMethods->xWrite(real, data, len / 2, at);
		raise(SIGKILL);
	}
	return real->pMethods->xWrite(real, data, len, at);
}

static int on_sync(sqlite3_file *f, int flags)
{
	sqlite3_file *real = real_of(f);

	if (due() && order->action == FAULTY_SYNC)
		return SQLITE_IOERR_FSYNC;
	return real->pMethods->xSync(real, flags);
}

static int on_close(sqlite3_file *f)
{
	sqlite3_file *real = real_of(f);
	const int rc = real->pMethods->xClose(real);

	free(real);
	return rc;
}

static int on_read(sqlite3_file *f, void *data, int len, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), data, len, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int on_reserved(sqlite3_file *f, int *held)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), held);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int on_characteristics(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Version 1: without shared memory, which exclusive locking does without. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_reserved,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_characteristics,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct faulty_file *file = (struct faulty_file *)f;
	int rc;

	(void)vfs;
	file->base.pMethods = NULL;
	file->real = calloc(1, (size_t)real_vfs->szOsFile);
	if (file->real == NULL)
		return SQLITE_NOMEM;
	rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
	if (rc != SQLITE_OK) {
		free(file->real);
		return rc;
	}
	file->base.pMethods = &methods;
	return SQLITE_OK;
}

void faulty_vfs_install(void *context)
{
	static sqlite3_vfs vfs;

	order = context;
	if (sqlite3_initialize() != SQLITE_OK)
		abort();
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "faulty";
	vfs.szOsFile = (int)sizeof(struct faulty_file);
	vfs.xOpen = on_open;
	vfs.pNext = NULL;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}
