/*-------------------------------------------------------------------------
 *
 * child.c
 *	  Starting a child process, waiting for it, killing it.
 *
 * Not popen(): reading from it cannot be interrupted, and what it starts
 * outlives a backend that dies.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "child.h"
#include "compat.h"
#include "errors.h"

/* ms between looks at a child that has closed its output but not ended */
#define EXIT_POLL 10

/* Looks, EXIT_POLL apart, at a killed child that does not end: one second. */
#define KILL_LOOKS 100

struct LinkChild
{
	MemoryContextCallback callback;
	pid_t		pid;			/* 0: none, or waited for */
	int			fd;				/* its output; -1: none */
	bool		reserved;		/* by AcquireExternalFD() */
	int64		deadline;
	uint32		wait_event;
};

static int64
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reset callback, so it comes on success, error and abort. */
static void
release(void *arg)
{
	LinkChild  *child = arg;

	if (child->fd >= 0)
		close(child->fd);
	child->fd = -1;
	if (child->pid > 0)
	{
		/* it has not been waited for, so the number is still its own */
		(void) kill(-child->pid, SIGKILL);
		for (int i = 0; i < KILL_LOOKS; i++)
		{
			if (waitpid(child->pid, NULL, WNOHANG) != 0)
				break;
			pg_usleep(EXIT_POLL * 1000L);
		}
	}
	child->pid = 0;
	if (child->reserved)
		ReleaseExternalFD();
	child->reserved = false;
}

/*
 * The child.  All signals are blocked on entry, since the handlers are still the
 * backend's and would set its latch.
 */
LINK_NORETURN static void
run(int (*body) (void *arg), void *arg, const LinkChildFiles *files, int output, pid_t parent)
{
	struct sigaction action = {0};
	sigset_t	none;
	int			null;

	(void) setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(127);

	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(files && files->input >= 0 ? files->input : null, STDIN_FILENO) < 0 ||
		dup2(output, STDOUT_FILENO) < 0 ||
		dup2(files && files->messages >= 0 ? files->messages : null, STDERR_FILENO) < 0)
		_exit(127);
	closefrom(STDERR_FILENO + 1);

	action.sa_handler = SIG_DFL;
	for (int i = 1; i < NSIG; i++)
		(void) sigaction(i, &action, NULL);
	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);

	_exit(body(arg));
}

LinkChild *
link_child_start(const char *what, int (*body) (void *arg), void *arg, const LinkChildFiles *files,
				 int timeout, uint32 wait_event)
{
	LinkChild  *child = palloc0(sizeof(LinkChild));
	pid_t		parent = getpid();
	int			ends[2];
	sigset_t	all;
	sigset_t	saved;
	int			failure;

	child->fd = -1;
	child->deadline = now_ms() + timeout;
	child->wait_event = wait_event;
	child->callback.func = release;
	child->callback.arg = child;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &child->callback);

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files"),
				 errhint("Raise max_files_per_process, or the limit of the operating system.")));
	child->reserved = true;
	if (pipe2(ends, O_CLOEXEC) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not create a pipe for %s: %m", what)));
	child->fd = ends[0];
	(void) fcntl(child->fd, F_SETFL, O_NONBLOCK);

	sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, &saved);
	child->pid = fork();
	if (child->pid == 0)
		run(body, arg, files, ends[1], parent);
	failure = errno;
	/* here too, for a kill that comes before the child's own call */
	if (child->pid > 0)
		(void) setpgid(child->pid, child->pid);
	(void) sigprocmask(SIG_SETMASK, &saved, NULL);
	close(ends[1]);
	if (child->pid < 0)
	{
		child->pid = 0;
		errno = failure;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start %s: %m", what)));
	}
	return child;
}

/* Wait for output, or only for time to pass if 'fd' is none; false when the time is up. */
static bool
pause_child(LinkChild *child, int fd, long at_most)
{
	int64		left = child->deadline - now_ms();
	int			events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

	if (left <= 0)
	{
		errno = ETIMEDOUT;
		return false;
	}
	if (fd >= 0)
		events |= WL_SOCKET_READABLE;
	(void) WaitLatchOrSocket(MyLatch, events, fd >= 0 ? fd : PGINVALID_SOCKET,
							 (long) Min(left, at_most), child->wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

ssize_t
link_child_read(LinkChild *child, void *to, Size size)
{
	for (;;)
	{
		ssize_t		got;

		CHECK_FOR_INTERRUPTS();
		got = read(child->fd, to, size);
		if (got >= 0)
			return got;
		if (errno == EINTR)
			continue;
		if ((errno != EAGAIN && errno != EWOULDBLOCK) || !pause_child(child, child->fd, PG_INT32_MAX))
			return -1;
	}
}

int
link_child_wait(LinkChild *child, int *status)
{
	pid_t		ended;

	while ((ended = waitpid(child->pid, status, WNOHANG)) <= 0)
		if ((ended < 0 && errno != EINTR) || !pause_child(child, -1, EXIT_POLL))
			return -1;
	child->pid = 0;
	return 0;
}
