/*
 * System call filters (seccomp(2), through libseccomp). Names that an architecture does not have
 * are passed over.
 */
#include "host/sandbox_internal.h"

#include <errno.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <seccomp.h>

#define FUSE_CLONE _IOR(229, 0, uint32_t) /* FUSE_DEV_IOC_CLONE: another queue of one mount */

static const char *const base_calls[] = {
	/* descriptors */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "close", "close_range", "lseek", "_llseek", "fstat", "fstat64", "newfstatat",
	"fstatat64", "statx", "fcntl", "fcntl64", "flock", "dup", "dup2", "dup3", "pipe", "pipe2",
	"fsync", "fdatasync", "sync_file_range", "sync_file_range2", "ftruncate", "ftruncate64",
	"fallocate", "fadvise64", "fadvise64_64", "fstatfs", "fstatfs64", "splice", "vmsplice",
	"tee", "sendfile", "sendfile64", "copy_file_range",
	/* waiting */
	"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
	"eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create", "timerfd_settime",
	"timerfd_settime64", "timerfd_gettime", "timerfd_gettime64",
	/* inherited sockets */
	"recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "recv", "sendto", "sendmsg",
	"sendmmsg", "send", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
	/* memory */
	"mmap", "mmap2", "munmap", "mprotect", "mremap", "madvise", "brk", "mlock", "mlock2",
	"munlock", "msync", "mincore", "membarrier",
	/* threads, signals, time */
	"futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list", "rseq",
	"set_tid_address", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	"rt_sigsuspend", "sigaltstack", "tgkill", "kill", "gettid", "getpid", "getppid", "getuid",
	"getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32",
	"getgroups", "getgroups32", "clock_gettime", "clock_gettime64", "clock_getres",
	"clock_getres_time64", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep",
	"gettimeofday", "time", "adjtimex", "clock_adjtime", "clock_adjtime64", "sched_yield",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_setscheduler",
	"getpriority", "getcpu", "restart_syscall", "getrandom", "uname", "sysinfo", "times",
	"getrusage", "prlimit64", "getrlimit", "ugetrlimit", "prctl", "arch_prctl", "umask",
	"riscv_flush_icache", "riscv_hwprobe", "cacheflush", "set_tls", NULL
};

static const char *const file_calls[] = {
	"open", "openat", "openat2", "creat", "stat", "stat64", "lstat", "lstat64", "access",
	"faccessat", "faccessat2", "readlink", "readlinkat", "unlink", "unlinkat", "rename",
	"renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "chmod", "fchmod",
	"fchmodat", "chown", "chown32", "fchown", "fchown32", "fchownat", "getdents", "getdents64",
	"getcwd", "chdir", "fchdir", "utimensat", "utimensat_time64", "truncate", "truncate64",
	"statfs", "statfs64", NULL
};

static const char *const connect_calls[] = { "connect", "bind", NULL };
static const char *const listen_calls[] = { "bind", "listen", "accept", "accept4", "connect",
	"socketpair", NULL };

/* The control socket listens already; a mount may be taken away, and a child that ended be met. */
static const char *const watcher_calls[] = { "accept", "accept4", "umount2", "waitid", "wait4",
	"pidfd_send_signal", NULL };

/* Ending the process is the right answer: nothing of ours ever asks. */
static const char *const fatal_calls[] = { "execve", "execveat", "ptrace", "process_vm_readv",
	"process_vm_writev", NULL };

/* What no process of ours may do, not even the monitor. */
static const char *const forbidden_calls[] = { "ptrace", "process_vm_readv", "process_vm_writev",
	"mount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
	"pivot_root", "chroot", "init_module", "finit_module", "delete_module", "kexec_load",
	"kexec_file_load",
	"bpf", "perf_event_open", "reboot", "swapon", "swapoff", "acct", "settimeofday",
	"clock_settime", "sethostname", "setdomainname", "iopl", "ioperm", "quotactl", "keyctl",
	"add_key", "request_key", "userfaultfd", "unshare", "setns", "name_to_handle_at",
	"open_by_handle_at", NULL };

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names)
{
	for (; *names != NULL; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		if (number == __NR_SCMP_ERROR)
			continue;
		int r = seccomp_rule_add(ctx, action, number, 0);
		/* EDOM: the architecture has no such call */
		if (r != 0 && r != -EDOM && r != -EOPNOTSUPP)
			return r;
	}
	return 0;
}

static int add_families(scmp_filter_ctx ctx, const int *families, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	return r;
}

/* Threads yes, processes no. clone3 hides its flags: libc falls back to clone on ENOSYS. */
static int add_threads(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	return r != 0 ? r : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* The kernel looks at 32 bits of the command: so do the rules. */
static int add_ioctl(scmp_filter_ctx ctx)
{
	static const unsigned int commands[] = { TCGETS, FIONREAD, FIONBIO, FIOCLEX, BLKGETSIZE64,
		BLKSSZGET, FUSE_CLONE };
	int r = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, commands[i]));
	return r;
}

static int add_network(scmp_filter_ctx ctx, enum sandbox_profile profile)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
	int r = add_families(ctx, families, sizeof(families) / sizeof(families[0]));

	if (r != 0)
		return r;
	return add_names(
		ctx, SCMP_ACT_ALLOW, profile == SANDBOX_FRONT ? listen_calls : connect_calls);
}

static int add_rules(scmp_filter_ctx ctx, enum sandbox_profile profile)
{
	int r;

	if (profile == SANDBOX_MONITOR)
		return add_names(ctx, SCMP_ACT_ERRNO(EPERM), forbidden_calls);
	r = add_names(ctx, SCMP_ACT_ALLOW, base_calls);
	if (r == 0)
		r = add_names(ctx, SCMP_ACT_KILL_PROCESS, fatal_calls);
	if (r == 0)
		r = add_threads(ctx);
	if (r == 0)
		r = add_ioctl(ctx);
	if (r == 0 && profile != SANDBOX_VOLUME)
		r = add_names(ctx, SCMP_ACT_ALLOW, file_calls);
	if (r == 0 && (profile == SANDBOX_SENDER || profile == SANDBOX_FRONT ||
			      profile == SANDBOX_WATCHER))
		r = add_network(ctx, profile);
	if (r == 0 && profile == SANDBOX_WATCHER)
		r = add_names(ctx, SCMP_ACT_ALLOW, watcher_calls);
	return r;
}

enum cv_err sandbox_seccomp(char why[SANDBOX_WHY_MAX], enum sandbox_profile profile)
{
#if defined(__SANITIZE_ADDRESS__)
	(void)profile;
	(void)add_rules;
	snprintf(why, SANDBOX_WHY_MAX, "no system call filter in a build with AddressSanitizer");
	return CV_ERR_NOT_SUPPORTED;
#else
	scmp_filter_ctx ctx = seccomp_init(
		profile == SANDBOX_MONITOR ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int r = -ENOMEM;

	if (ctx != NULL) {
		r = add_rules(ctx, profile);
		if (r == 0)
			r = seccomp_load(ctx);
		seccomp_release(ctx);
	}
	if (r == 0)
		return CV_OK;
	snprintf(why, SANDBOX_WHY_MAX, "seccomp: %s", strerror(-r));
	return CV_ERR_NOT_SUPPORTED;
#endif
}
