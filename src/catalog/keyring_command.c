/*-------------------------------------------------------------------------
 *
 * keyring_command.c
 *	  Running link.master_key_command.
 *
 * Not popen(): reading from it cannot be interrupted, and what it starts
 * outlives a backend that dies.  The command runs in a process group of its own
 * with nothing of the backend but the environment, and is waited for on the
 * latch.  If the time is up or the statement ends before it, it is killed with
 * all its children.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

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

#include "bounds.h"
#include "catalog/keyring_internal.h"
#include "catalog/seal.h"
#include "errors.h"
#include "guc.h"

#define SOURCE "what link.master_key_command prints"

/* ms between looks at a command that has closed its output but not ended */
#define EXIT_POLL 10

/* Looks, EXIT_POLL apart, at a killed command that does not end: one second. */
#define KILL_LOOKS 100

typedef struct Command
{
	MemoryContextCallback callback;
	pid_t		pid;			/* 0: none, or waited for */
	int			fd;				/* its output; -1: none */
	bool		reserved;		/* by AcquireExternalFD() */
} Command;

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = link_wait_event("LinkMasterKeyCommand");
	return event;
}

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
	Command    *command = arg;

	if (command->fd >= 0)
		close(command->fd);
	command->fd = -1;
	if (command->pid > 0)
	{
		/* it has not been waited for, so the number is still its own */
		(void) kill(-command->pid, SIGKILL);
		for (int i = 0; i < KILL_LOOKS; i++)
		{
			if (waitpid(command->pid, NULL, WNOHANG) != 0)
				break;
			pg_usleep(EXIT_POLL * 1000L);
		}
	}
	command->pid = 0;
	if (command->reserved)
		ReleaseExternalFD();
	command->reserved = false;
}

/*
 * The child, from fork to exec: only calls that are safe after fork.  All
 * signals are blocked on entry, since the handlers are still the backend's and
 * would set its latch.
 */
LINK_NORETURN static void
run(const char *command, int output, pid_t parent)
{
	struct sigaction action = {0};
	sigset_t	none;
	int			null;

	(void) setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(127);

	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
		dup2(output, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	closefrom(STDERR_FILENO + 1);

	action.sa_handler = SIG_DFL;
	for (int i = 1; i < NSIG; i++)
		(void) sigaction(i, &action, NULL);
	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);

	execl("/bin/sh", "sh", "-c", command, (char *) NULL);
	_exit(127);
}

static void
start(Command *command, const char *text)
{
	pid_t		parent = getpid();
	int			ends[2];
	sigset_t	all;
	sigset_t	saved;
	int			failure;

	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files"),
				 errhint("Raise max_files_per_process, or the limit of the operating system.")));
	command->reserved = true;
	if (pipe2(ends, O_CLOEXEC) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not create a pipe for link.master_key_command: %m")));
	command->fd = ends[0];
	(void) fcntl(command->fd, F_SETFL, O_NONBLOCK);

	sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, &saved);
	command->pid = fork();
	if (command->pid == 0)
		run(text, ends[1], parent);
	failure = errno;
	/* here too, for a kill that comes before the child's own call */
	if (command->pid > 0)
		(void) setpgid(command->pid, command->pid);
	(void) sigprocmask(SIG_SETMASK, &saved, NULL);
	close(ends[1]);
	if (command->pid < 0)
	{
		command->pid = 0;
		errno = failure;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start link.master_key_command: %m")));
	}
}

/* Wait for output, or only for time to pass if 'fd' is none; throws when the deadline is over. */
static void
pause_until(int64 deadline, int fd, long at_most)
{
	int64		left = deadline - now_ms();
	int			events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;

	if (left <= 0)
		link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
					   psprintf("link.master_key_command did not end within %d ms", link_master_key_timeout),
					   "Raise link.master_key_timeout, or look at why the command takes so long.");
	if (fd >= 0)
		events |= WL_SOCKET_READABLE;
	(void) WaitLatchOrSocket(MyLatch, events, fd >= 0 ? fd : PGINVALID_SOCKET,
							 (long) Min(left, at_most), wait_event());
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static Size
read_output(Command *command, char *text, int64 deadline)
{
	Size		len = 0;

	for (;;)
	{
		ssize_t		got = read(command->fd, text + len, LINK_MAX_KEY_RING + 1 - len);

		if (got == 0)
			return len;
		if (got > 0)
		{
			len += got;
			if (len > LINK_MAX_KEY_RING)
				link_ring_fail(ERRCODE_CONFIG_FILE_ERROR, SOURCE,
							   psprintf("link.master_key_command printed more than %d bytes", LINK_MAX_KEY_RING),
							   NULL);
			CHECK_FOR_INTERRUPTS();
		}
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			pause_until(deadline, command->fd, PG_INT32_MAX);
		else if (errno != EINTR)
			link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
						   psprintf("could not read from link.master_key_command: %m"), NULL);
	}
}

static void
wait_for_exit(Command *command, int64 deadline)
{
	int			status;
	pid_t		ended;

	while ((ended = waitpid(command->pid, &status, WNOHANG)) <= 0)
	{
		if (ended < 0 && errno != EINTR)
			link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
						   psprintf("could not wait for link.master_key_command: %m"), NULL);
		pause_until(deadline, -1, EXIT_POLL);
	}
	command->pid = 0;
	if (status != 0)
		link_ring_fail(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, SOURCE,
					   psprintf("link.master_key_command failed: %s", wait_result_to_str(status)),
					   "What it says is not logged: run it as the user of the server to see.");
}

char *
link_ring_command_read(const char *text, Size *len)
{
	char	   *output = link_secret_alloc(LINK_MAX_KEY_RING + 1);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "link master key command",
												  ALLOCSET_SMALL_SIZES);
	Command    *command = MemoryContextAllocZero(context, sizeof(Command));
	int64		deadline = now_ms() + link_master_key_timeout;

	command->fd = -1;
	command->callback.func = release;
	command->callback.arg = command;
	MemoryContextRegisterResetCallback(context, &command->callback);

	start(command, text);
	*len = read_output(command, output, deadline);
	wait_for_exit(command, deadline);
	MemoryContextDelete(context);
	return output;
}
