/*
 * Random work on a mounted filesystem, checked as it goes. Built for the tests of fs/.
 *
 *   fs_exercise file PATH SEED COUNT       one file against a buffer in memory, by every way in
 *   fs_exercise tree DIR SEED COUNT PROCS  several processes in one tree; content carries a stamp
 *                                          of its file and place, so that each read is checked
 *
 * Exit 0; 1 and a line if something was not as it should be; 3 if the filesystem went away
 * (ENOTCONN, ECONNABORTED), which a test that kills it expects; see punch() for EIO.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILE_MAX (768 * 1024)
#define PART_MAX (96 * 1024)
#define BLOCK 512
#define GONE 3

static uint64_t state;
static unsigned long step;
static const char *doing = "start";

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % below);
}

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	int e = errno;
	va_list args;

	if (e == ENOTCONN || e == ECONNABORTED)
		exit(GONE);
	fprintf(stderr, "fs_exercise: step %lu: %s: ", step, doing);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(e));
	exit(1);
}

/* --- one file against a buffer */

static uint8_t model[FILE_MAX], buf[FILE_MAX] __attribute__((aligned(4096)));
static size_t size;

static void pick(size_t *at, size_t *len)
{
	*at = rnd(FILE_MAX);
	*len = 1 + rnd(PART_MAX);
	if (rnd(3) == 0)
		*at &= ~(size_t)4095;
	if (rnd(4) == 0)
		*len = (*len + 4095) & ~(size_t)4095;
	if (*len > FILE_MAX - *at)
		*len = FILE_MAX - *at;
}

static void compare(const uint8_t *got, size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != model[at + i]) {
			errno = 0;
			fail("byte %zu is %02x, should be %02x (size %zu)", at + i, got[i],
				model[at + i], size);
		}
}

static void grow_model(size_t end)
{
	if (end > size)
		size = end;
}

static void fill(size_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		model[at + i] = (uint8_t)(step * 31 + i * 7 + rnd(3));
	grow_model(at + len);
}

static void do_write(int fd)
{
	size_t at, len;

	pick(&at, &len);
	fill(at, len);
	if (pwrite(fd, model + at, len, (off_t)at) != (ssize_t)len)
		fail("pwrite %zu at %zu", len, at);
}

static void do_read(int fd)
{
	size_t at, len;
	ssize_t n;

	pick(&at, &len);
	n = pread(fd, buf, len, (off_t)at);
	if (n < 0 || (size_t)n != (at >= size ? 0 : len < size - at ? len : size - at))
		fail("pread %zu at %zu gave %zd", len, at, n);
	compare(buf, at, (size_t)n);
}

static void do_map(int fd, bool write)
{
	size_t at, len;
	uint8_t *map;

	pick(&at, &len);
	if (at >= size)
		return;
	len = len < size - at ? len : size - at;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("mmap");
	if (write) {
		fill(at, len);
		memcpy(map + at, model + at, len);
		if (rnd(3) == 0 && msync(map, size, MS_SYNC))
			fail("msync");
	} else {
		compare(map + at, at, len);
	}
	if (munmap(map, size))
		fail("munmap");
}

static void do_truncate(int fd)
{
	size_t to = rnd(3) ? rnd(FILE_MAX) : (size_t)rnd(FILE_MAX) & ~(size_t)4095;

	if (ftruncate(fd, (off_t)to))
		fail("ftruncate %zu", to);
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void do_fallocate(int fd)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	int mode = modes[rnd(5)];
	size_t at, len, end;

	pick(&at, &len);
	if (fallocate(fd, mode, (off_t)at, (off_t)len)) {
		if (errno == EOPNOTSUPP)
			return;
		fail("fallocate %d %zu at %zu", mode, len, at);
	}
	end = at + len;
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		grow_model(end);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && at < size)
		memset(model + at, 0, (end < size ? end : size) - at);
}

static void do_copy(int fd)
{
	size_t from, to, len;
	off_t in, out;
	ssize_t n;

	pick(&from, &len);
	to = rnd(FILE_MAX);
	if (len > FILE_MAX - to)
		len = FILE_MAX - to;
	if (from >= size || (from < to + len && to < from + len))
		return;
	in = (off_t)from;
	out = (off_t)to;
	n = copy_file_range(fd, &in, fd, &out, len, 0);
	if (n < 0)
		fail("copy_file_range %zu from %zu to %zu", len, from, to);
	memmove(model + to, model + from, (size_t)n);
	grow_model(to + (size_t)n);
}

static void do_direct(const char *path)
{
	size_t at = (size_t)rnd(FILE_MAX) & ~(size_t)4095;
	size_t len = 4096 * (1 + rnd(8));
	int fd = open(path, O_RDWR | O_DIRECT);

	if (fd < 0)
		fail("open O_DIRECT");
	if (len > FILE_MAX - at)
		len = FILE_MAX - at;
	if (rnd(2)) {
		fill(at, len);
		memcpy(buf, model + at, len);
		if (pwrite(fd, buf, len, (off_t)at) != (ssize_t)len)
			fail("direct pwrite %zu at %zu", len, at);
	} else if (at < size) {
		ssize_t n = pread(fd, buf, len, (off_t)at);

		if (n < 0)
			fail("direct pread");
		compare(buf, at, (size_t)n);
	}
	(void)close(fd);
}

static void do_sync(int fd)
{
	if (rnd(2) ? fsync(fd) : fdatasync(fd))
		fail("fsync");
	/* what follows is read from below */
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		fail("fadvise");
}

/* No hole may be reported over bytes that are not zero. */
static void do_seek(int fd)
{
	off_t at = (off_t)rnd(FILE_MAX);
	off_t hole = lseek(fd, at, SEEK_HOLE);
	off_t data = lseek(fd, at, SEEK_DATA);

	if ((size_t)at >= size)
		return;
	if (hole < at || (size_t)hole > size)
		fail("SEEK_HOLE %jd gave %jd", (intmax_t)at, (intmax_t)hole);
	if (data < 0)
		data = (off_t)size;
	for (off_t i = at; i < data; i++)
		if (model[i]) {
			errno = 0;
			fail("SEEK_DATA %jd gave %jd over a written byte", (intmax_t)at,
				(intmax_t)data);
		}
}

static int run_file(const char *path, unsigned long count)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;

	if (fd < 0)
		fail("open %s", path);
	for (step = 1; step <= count; step++) {
		uint32_t what = rnd(100);

		doing = "file";
		if (what < 30)
			do_write(fd);
		else if (what < 50)
			do_read(fd);
		else if (what < 64)
			do_map(fd, what & 1);
		else if (what < 72)
			do_truncate(fd);
		else if (what < 82)
			do_fallocate(fd);
		else if (what < 87)
			do_copy(fd);
		else if (what < 92)
			do_direct(path);
		else if (what < 95)
			do_sync(fd);
		else
			do_seek(fd);
		if (fstat(fd, &st) || (size_t)st.st_size != size)
			fail("the size is %jd, should be %zu", (intmax_t)st.st_size, size);
	}
	if (pread(fd, buf, FILE_MAX, 0) != (ssize_t)size)
		fail("the last read");
	compare(buf, 0, size);
	return close(fd);
}

/* --- several processes in one tree */

/* Names are few, so that the processes meet. */
static const char *name(char out[64])
{
	char *p = out;
	uint32_t depth = rnd(3);

	for (uint32_t i = 0; i < depth; i++)
		p += sprintf(p, "d%u/", rnd(4));
	(void)sprintf(p, "%c%u", rnd(4) ? 'f' : 'd', rnd(rnd(2) ? 4 : 12));
	return out;
}

/* What others may have done meanwhile explains these. */
static void expect(int result)
{
	static const int fine[] = { ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, ENOSPC,
		ELOOP, EPERM, ENXIO, ENODATA, EMLINK, EXDEV, EBUSY };

	if (result >= 0)
		return;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (errno == fine[i])
			return;
	fail("unexpected");
}

static void stamp(uint8_t out[BLOCK], uint64_t inode, uint64_t block)
{
	uint64_t s = (inode * 0x9E3779B97F4A7C15u) ^ (block * 0xC2B2AE3D27D4EB4Fu) ^ 1;

	for (size_t i = 0; i < BLOCK; i += 8) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		memcpy(out + i, &s, 8);
	}
}

static void write_stamps(int fd, uint64_t inode)
{
	uint64_t block = rnd(400);
	unsigned count = 1 + rnd(40);

	for (unsigned i = 0; i < count; i++)
		stamp(buf + i * BLOCK, inode, block + i);
	expect((int)pwrite(fd, buf, count * BLOCK, (off_t)(block * BLOCK)));
}

/* Each whole block is the stamp of its file and place, or was never written. */
static void read_stamps(int fd, uint64_t inode)
{
	static const uint8_t zero[BLOCK];
	uint64_t block = rnd(400);
	ssize_t n = pread(fd, buf, 40 * BLOCK, (off_t)(block * BLOCK));
	uint8_t want[BLOCK];

	expect((int)n);
	for (ssize_t i = 0; i + BLOCK <= n; i += BLOCK) {
		stamp(want, inode, block + (uint64_t)(i / BLOCK));
		if (memcmp(buf + i, want, BLOCK) != 0 && memcmp(buf + i, zero, BLOCK) != 0) {
			errno = 0;
			fail("inode %ju: block %ju holds what nobody wrote", (uintmax_t)inode,
				(uintmax_t)block + (uintmax_t)(i / BLOCK));
		}
	}
}

/*
 * The kernel writes the cached pages out first. If the volume process is gone by then, it makes EIO
 * of every error of that. An EIO of a filesystem that still answers is one of its own.
 */
static void punch(int fd)
{
	int result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		(off_t)rnd(400) * BLOCK, BLOCK * 16);
	struct statvfs st;

	if (result && errno == EIO) {
		if (fstatvfs(fd, &st))
			fail("statvfs");
		errno = EIO;
	}
	expect(result);
}

static void with_file(const char *path)
{
	int fd = open(path, O_RDWR | (rnd(2) ? O_CREAT : 0) | O_NOFOLLOW | O_NONBLOCK, 0644);
	struct stat st;

	expect(fd);
	if (fd < 0)
		return;
	if (fstat(fd, &st))
		fail("fstat");
	for (unsigned i = S_ISREG(st.st_mode) ? 1 + rnd(4) : 0; i > 0; i--)
		switch (rnd(8)) {
		case 0:
			expect(ftruncate(fd, (off_t)rnd(400) * BLOCK));
			break;
		case 1:
			punch(fd);
			break;
		case 2:
			expect(rnd(4) ? 0 : fsync(fd));
			break;
		case 3:
		case 4:
		case 5:
			write_stamps(fd, st.st_ino);
			break;
		default:
			read_stamps(fd, st.st_ino);
		}
	(void)close(fd);
}

static void list(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir) {
		expect(-1);
		return;
	}
	errno = 0;
	while (readdir(dir))
		;
	if (errno)
		expect(-1);
	(void)closedir(dir);
}

static void one(void)
{
	char a[64], b[64];
	struct stat st;

	switch (rnd(20)) {
	case 0:
	case 1:
		expect(mkdir(name(a), 0755));
		break;
	case 2:
		expect(rmdir(name(a)));
		break;
	case 3:
	case 4:
		expect(unlink(name(a)));
		break;
	case 5:
	case 6:
		expect(rename(name(a), name(b)));
		break;
	case 7:
		expect(renameat2(AT_FDCWD, name(a), AT_FDCWD, name(b),
			rnd(2) ? RENAME_EXCHANGE : RENAME_NOREPLACE));
		break;
	case 8:
		expect(link(name(a), name(b)));
		break;
	case 9:
		expect(symlink(name(a), name(b)));
		break;
	case 10:
		expect(lstat(name(a), &st));
		break;
	case 11:
		list(rnd(2) ? "." : name(a));
		break;
	case 12:
		expect(lsetxattr(name(a), "user.x", buf, 1 + rnd(200), 0));
		break;
	case 13:
		expect(chmod(name(a), 0600 | rnd(0200)));
		break;
	default:
		with_file(name(a));
	}
}

static int run_tree(const char *dir, unsigned long count, unsigned procs)
{
	int worst = 0;

	if (chdir(dir))
		fail("chdir %s", dir);
	for (unsigned i = 0; i < procs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid > 0)
			continue;
		state ^= (i + 1) * 0x9E3779B97F4A7C15u;
		doing = "tree";
		for (step = 1; step <= count; step++)
			one();
		exit(0);
	}
	for (unsigned i = 0; i < procs; i++) {
		int status = 0;

		if (wait(&status) < 0 || !WIFEXITED(status))
			return 1;
		if (WEXITSTATUS(status) == 1 || (WEXITSTATUS(status) && !worst))
			worst = WEXITSTATUS(status);
	}
	return worst;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	state = strtoull(argv[3], NULL, 10) * 0x2545F4914F6CDD1Du + 1;
	if (strcmp(argv[1], "file") == 0)
		return run_file(argv[2], strtoul(argv[4], NULL, 10)) ? 1 : 0;
	if (strcmp(argv[1], "tree") == 0 && argc == 6)
		return run_tree(argv[2], strtoul(argv[4], NULL, 10),
			(unsigned)strtoul(argv[5], NULL, 10));
	return 2;
}
