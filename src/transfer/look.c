/*-------------------------------------------------------------------------
 *
 * look.c
 *	  Looking at what a link leads to: CHECK LINK, listing, removing.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "catalog/privileges.h"
#include "catalog/use.h"
#include "errors.h"
#include "provider/provider.h"
#include "transfer/look.h"
#include "transfer/verb.h"

/*
 * CHECK LINK.
 */

typedef struct Probe
{
	const LinkRow *row;
	LinkSession *session;
	const char *path;			/* as given, or NULL */
	char	   *object;			/* of the probe */
	MemoryContext context;		/* outlives the steps */
	char	   *detail;			/* of the step that runs */
} Probe;

static bool
is_stream(const LinkSession *session)
{
	return (session->provider->features & LINK_IS_STREAM) != 0;
}

static const char probe_bytes[] = "link probe\n";

static void
step_connect(Probe *probe)
{
	probe->session = link_open(probe->row);
	probe->session->provider->ops->connect(probe->session);
}

static void
step_authenticate(Probe *probe)
{
	probe->session->provider->ops->authenticate(probe->session);
}

static bool
count_object(const LinkObject *object, void *arg)
{
	int		   *count = arg;

	/* enough to know that listing works */
	return ++*count < 1000;
}

static void
step_list(Probe *probe)
{
	bool		stream = is_stream(probe->session);
	Size		len = strlen(probe->path);
	char	   *prefix = stream || len == 0 || probe->path[len - 1] == '/' ? pstrdup(probe->path) :
		psprintf("%s/", probe->path);
	int			count = 0;

	link_list(probe->session, prefix, stream, count_object, &count);
	probe->detail = psprintf("%s%d objects", count == 1000 ? "at least " : "", count);
}

/*
 * Messages cannot be taken back, so a topic is only opened: for its writer it has
 * to be there and the link has to be let write.
 */
static void
step_open_writer(Probe *probe)
{
	link_abort(link_open_writer(probe->session, probe->path, false));
}

static void
step_open_reader(Probe *probe)
{
	link_close_reader(link_open_reader(probe->session, probe->path, 0, -1));
}

static void
step_write(Probe *probe)
{
	LinkWriter *writer = link_open_writer(probe->session, probe->object, false);
	StringInfoData token;

	initStringInfo(&token);
	PG_TRY();
	{
		link_write(writer, probe_bytes, strlen(probe_bytes));
		link_prepare(writer, &token);
		link_publish(probe->session, probe->object, false, token.data, token.len);
	}
	PG_CATCH();
	{
		link_undo_writer(writer, &token);
		PG_RE_THROW();
	}
	PG_END_TRY();
	probe->detail = pstrdup(probe->object);
}

static void
step_read(Probe *probe)
{
	LinkReader *reader = link_open_reader(probe->session, probe->object, 0, -1);
	char		bytes[sizeof(probe_bytes) + 1];
	Size		len = 0;
	Size		got;

	while (len < sizeof(bytes) && (got = link_read(reader, bytes + len, sizeof(bytes) - len)) > 0)
		len += got;
	link_close_reader(reader);
	if (len != strlen(probe_bytes) || memcmp(bytes, probe_bytes, len) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LINK_CORRUPT),
				 errmsg("the probe object does not hold what was written")));
}

static void
step_delete(Probe *probe)
{
	link_remove(probe->session, probe->object);
}

static const struct
{
	const char *name;
	void		(*run) (Probe *probe);
	bool		on_path;		/* only with a path */
	bool		changes;		/* leaves something behind if it is not undone */
	enum {ALL, OBJECTS, STREAMS} of;
}			steps[] = {
	{"connect", step_connect},
	{"authenticate", step_authenticate},
	{"list", step_list, true},
	{"write", step_write, true, true, OBJECTS},
	{"read", step_read, true, true, OBJECTS},
	{"delete", step_delete, true, true, OBJECTS},
	{"write", step_open_writer, true, false, STREAMS},
	{"read", step_open_reader, true, false, STREAMS},
};

/*
 * Run one step; its error becomes the step's detail.  What the step itself
 * holds (a session's handles) belongs to memory that stays.
 */
static LinkCheckStep *
run_step(Probe *probe, const char *name, void (*run) (Probe *))
{
	LinkCheckStep *result = MemoryContextAllocZero(probe->context, sizeof(LinkCheckStep));
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext caller = CurrentMemoryContext;
	instr_time	start;
	instr_time	elapsed;

	result->step = name;
	probe->detail = NULL;
	INSTR_TIME_SET_CURRENT(start);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(probe->context);
	PG_TRY();
	{
		run(probe);
		ReleaseCurrentSubTransaction();
		result->ok = true;
		result->detail = probe->detail;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(probe->context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();

		/* a cancel is for the whole statement */
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		link_use_caught(error);
		result->detail = psprintf("%s: %s%s%s%s%s", unpack_sql_state(error->sqlerrcode), error->message,
								  error->detail ? " " : "", error->detail ? error->detail : "",
								  error->hint ? " " : "", error->hint ? error->hint : "");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	result->elapsed_ms = INSTR_TIME_GET_MILLISEC(elapsed);
	return result;
}

/* A name of its own below the path, so that nobody's object is touched. */
static char *
probe_object(const char *path)
{
	Size		len = strlen(path);
	uint64		random;

	if (!pg_strong_random(&random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	return psprintf("%s%slink_probe_%016llx", path, len == 0 || path[len - 1] == '/' ? "" : "/",
					(unsigned long long) random);
}

static List *
check(const LinkName *name, const char *path)
{
	Probe		probe = {0};
	LinkCheckStep *resolved = palloc0(sizeof(LinkCheckStep));
	List	   *results;
	bool		append_only = false;
	instr_time	start;
	instr_time	elapsed;

	link_verb_require_allowed("CHECK LINK");
	INSTR_TIME_SET_CURRENT(start);
	probe.row = link_lookup_name(name, path ? LINK_ACL_USE : LINK_ACL_READ);
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, start);
	resolved->step = "resolve";
	resolved->ok = true;
	resolved->elapsed_ms = INSTR_TIME_GET_MILLISEC(elapsed);
	resolved->detail = psprintf("%s, type %s", link_qualified_name(probe.row), probe.row->type);
	results = list_make1(resolved);

	probe.context = CurrentMemoryContext;
	probe.path = path;
	if (path)
		probe.object = probe_object(path);
	for (int i = 0; i < lengthof(steps); i++)
	{
		LinkCheckStep *result;

		if (steps[i].on_path && path == NULL)
			continue;
		if (steps[i].changes && append_only)
			continue;
		if (steps[i].of != ALL && (steps[i].of == STREAMS) != is_stream(probe.session))
			continue;
		result = run_step(&probe, steps[i].name, steps[i].run);
		results = lappend(results, result);
		if (!result->ok)
			break;
		if (probe.session)
			append_only = link_option_boolean(probe.session->options, "append_only", false);
		if (steps[i].run == step_list && append_only && !is_stream(probe.session))
			result->detail = psprintf("%s; the link is append_only, so no probe is written", result->detail);
	}
	if (probe.session)
		link_close(probe.session);
	return results;
}

List *
link_check(const LinkName *name, const char *path)
{
	List	   *results = NIL;

	LINK_USE_BEGIN(path ? LINK_VERB_CHECK_LINK_PATH : LINK_VERB_CHECK_LINK, path);
	{
		results = check(name, path);
	}
	LINK_USE_END();
	return results;
}

/*
 * Listing.
 */

static bool
keep_object(const LinkObject *object, void *arg)
{
	List	  **objects = arg;
	MemoryContext caller = MemoryContextSwitchTo(GetMemoryChunkContext(objects));
	LinkObject *copy = palloc(sizeof(LinkObject));

	*copy = *object;
	copy->path = pstrdup(object->path);
	copy->etag = object->etag ? pstrdup(object->etag) : NULL;
	*objects = lappend(*objects, copy);
	MemoryContextSwitchTo(caller);
	return true;
}

List *
link_list_objects(const LinkName *name, const char *path)
{
	List	  **objects = palloc0(sizeof(List *));

	LINK_USE_BEGIN(LINK_VERB_LIST_FILES, path);
	{
		LinkSession *session;

		link_verb_require_allowed("link.list_files");
		session = link_open(link_lookup_name(name, LINK_ACL_READ));
		link_list(session, path, false, keep_object, objects);
		link_close(session);
	}
	LINK_USE_END();
	return *objects;
}

void
link_remove_object(const LinkName *name, const char *path)
{
	LINK_USE_BEGIN(LINK_VERB_REMOVE_FILE, path);
	{
		LinkSession *session;

		link_verb_require_allowed("link.remove_file");
		session = link_open(link_lookup_name(name, LINK_ACL_WRITE));
		link_remove(session, path);
		link_close(session);
	}
	LINK_USE_END();
}
