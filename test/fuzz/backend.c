/*-------------------------------------------------------------------------
 *
 * backend.c
 *	  A stand-in for the backend, for fuzzing: memory contexts on malloc, so that
 *	  the sanitizers see every allocation; errors that jump back to the target and
 *	  are looked at on the way; and as much of the rest as the sources under test
 *	  call, simple and slow.
 *
 * What is the same in frontend and backend comes from libpgcommon and libpgport.
 * What is missing here and there aborts when it is called (run.sh).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <sanitizer/asan_interface.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/memnodes.h"
#include "nodes/pg_list.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "backend.h"

/*
 * Memory.
 */

/*
 * Before each allocation; poisoned, so that nobody reaches it from there.  But for
 * the last member: there PostgreSQL 15 looks for the context.
 */
typedef struct Chunk
{
	struct Chunk *previous;
	struct Chunk *next;
	Size		size;
	struct Context *context;
} Chunk;

typedef struct Context
{
	MemoryContextData header;	/* its tag alone is used */
	struct Context *parent;
	struct Context *first_child;
	struct Context *next_sibling;
	Chunk	   *chunks;
	MemoryContextCallback *callbacks;
} Context;

#define UNSANITIZED __attribute__((no_sanitize("address")))

MemoryContext TopMemoryContext;
MemoryContext CurrentMemoryContext;

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name, Size minContextSize,
							  Size initBlockSize, Size maxBlockSize)
{
	Context    *context = calloc(1, sizeof(Context));

	context->header.type = T_AllocSetContext;
	context->parent = (Context *) parent;
	if (context->parent)
	{
		context->next_sibling = context->parent->first_child;
		context->parent->first_child = context;
	}
	return &context->header;
}

static UNSANITIZED void
link_chunk(Context *context, Chunk *chunk, Size size)
{
	chunk->context = context;
	chunk->size = size;
	chunk->previous = NULL;
	chunk->next = context->chunks;
	if (chunk->next)
		chunk->next->previous = chunk;
	context->chunks = chunk;
	ASAN_POISON_MEMORY_REGION(chunk, offsetof(Chunk, context));
}

static UNSANITIZED Context *
unlink_chunk(Chunk *chunk)
{
	ASAN_UNPOISON_MEMORY_REGION(chunk, sizeof(Chunk));
	if (chunk->previous)
		chunk->previous->next = chunk->next;
	else
		chunk->context->chunks = chunk->next;
	if (chunk->next)
		chunk->next->previous = chunk->previous;
	return chunk->context;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	Chunk	   *chunk;

	if (!AllocSizeIsValid(size))
		elog(ERROR, "invalid memory alloc request size %zu", size);
	chunk = malloc(sizeof(Chunk) + size);
	link_chunk((Context *) context, chunk, size);
	return chunk + 1;
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return memset(MemoryContextAlloc(context, size), 0, size);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return MemoryContextAlloc(context, size);
}

#if PG_VERSION_NUM < 170000
void *
MemoryContextAllocZeroAligned(MemoryContext context, Size size)
{
	return MemoryContextAllocZero(context, size);
}
#endif

#if PG_VERSION_NUM >= 160000
MemoryContext
GetMemoryChunkContext(void *pointer)
{
	return &((Chunk *) pointer - 1)->context->header;
}
#endif

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocZero(CurrentMemoryContext, size);
}

void
pfree(void *pointer)
{
	Chunk	   *chunk = (Chunk *) pointer - 1;

	unlink_chunk(chunk);
	free(chunk);
}

/* Always moves. */
void *
repalloc(void *pointer, Size size)
{
	Chunk	   *chunk = (Chunk *) pointer - 1;
	Context    *context = unlink_chunk(chunk);
	void	   *moved = MemoryContextAlloc(&context->header, size);

	memcpy(moved, pointer, Min(size, chunk->size));
	free(chunk);
	return moved;
}

static UNSANITIZED void
free_chunks(Context *context)
{
	Chunk	   *chunk;

	while ((chunk = context->chunks) != NULL)
	{
		context->chunks = chunk->next;
		ASAN_UNPOISON_MEMORY_REGION(chunk, sizeof(Chunk));
		free(chunk);
	}
}

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
	callback->next = ((Context *) context)->callbacks;
	((Context *) context)->callbacks = callback;
}

void
MemoryContextReset(MemoryContext memory_context)
{
	Context    *context = (Context *) memory_context;
	MemoryContextCallback *callback;

	while (context->first_child)
		MemoryContextDelete(&context->first_child->header);
	while ((callback = context->callbacks) != NULL)
	{
		context->callbacks = callback->next;
		callback->func(callback->arg);
	}
	free_chunks(context);
}

void
MemoryContextDelete(MemoryContext memory_context)
{
	Context    *context = (Context *) memory_context;
	Context   **place;

	fuzz_expect(memory_context != CurrentMemoryContext);
	MemoryContextReset(memory_context);
	if (context->parent)
	{
		for (place = &context->parent->first_child; *place != context; place = &(*place)->next_sibling)
			;
		*place = context->next_sibling;
	}
	free(context);
}

char *
MemoryContextStrdup(MemoryContext context, const char *string)
{
	Size		size = strlen(string) + 1;

	return memcpy(MemoryContextAlloc(context, size), string, size);
}

char *
pstrdup(const char *string)
{
	return MemoryContextStrdup(CurrentMemoryContext, string);
}

char *
pnstrdup(const char *string, Size len)
{
	char	   *copy;

	len = strnlen(string, len);
	copy = memcpy(palloc(len + 1), string, len);
	copy[len] = '\0';
	return copy;
}

/*
 * Errors.
 */

FuzzError	fuzz_error;
sigjmp_buf *PG_exception_stack;
ErrorContextCallback *error_context_stack;

static MemoryContext error_texts;	/* of one input */
static int	error_level;
static int	error_errno;
static bool hiding;
static bool demanding_printable;

void
fuzz_bug(const char *format,...)
{
	va_list		args;

	fprintf(stderr, "BUG: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

bool
errstart(int elevel, const char *domain)
{
	error_errno = errno;
	error_level = elevel;
	memset(&fuzz_error, 0, sizeof(fuzz_error));
	fuzz_error.sqlstate = ERRCODE_INTERNAL_ERROR;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	fuzz_error.sqlstate = sqlerrcode;
	return 0;
}

int
geterrcode(void)
{
	return fuzz_error.sqlstate;
}

/* Contexts are appended to one another, other fields are set once. */
static int
set_field(char **field, const char *format, va_list args)
{
	va_list		again;
	Size		old = *field ? strlen(*field) + 1 : 0;
	int			len;
	char	   *text;

	va_copy(again, args);
	errno = error_errno;
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	text = MemoryContextAlloc(error_texts, old + len + 1);
	errno = error_errno;
	vsnprintf(text + old, len + 1, format, args);
	if (*field)
	{
		memcpy(text, *field, old);
		text[old - 1] = '\n';
	}
	*field = text;
	return 0;
}

#define FIELD_FUNCTION(function, field) \
int \
function(const char *format,...) \
{ \
	va_list		args; \
\
	va_start(args, format); \
	set_field(&fuzz_error.field, format, args); \
	va_end(args); \
	return 0; \
}

FIELD_FUNCTION(errmsg, message)
FIELD_FUNCTION(errmsg_internal, message)
FIELD_FUNCTION(errdetail, detail)
FIELD_FUNCTION(errdetail_internal, detail)
FIELD_FUNCTION(errdetail_log, detail)
FIELD_FUNCTION(errhint, hint)
FIELD_FUNCTION(errcontext_msg, context)

int
set_errcontext_domain(const char *domain)
{
	return 0;
}

int
internalerrposition(int cursorpos)
{
	fuzz_expect(cursorpos > 0);
	return 0;
}

int
internalerrquery(const char *query)
{
	fuzz_error.query = MemoryContextStrdup(error_texts, query);
	return 0;
}

static void
check_field(const char *name, const char *text, bool ours)
{
	if (text == NULL)
		return;
	if (hiding && strstr(text, FUZZ_SECRET))
		fuzz_bug("%s holds what is hidden: %s", name, text);
	if (!pg_verifymbstr(text, strlen(text), true))
		fuzz_bug("%s is not valid in the encoding of the database: %s", name, text);
	for (; demanding_printable && ours && *text; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			fuzz_bug("%s is not printable", name);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (error_level < ERROR)
		return;
	for (ErrorContextCallback *c = error_context_stack; c; c = c->previous)
		c->callback(c->arg);

	/* running out of memory does not happen here: some library said no for another reason */
	if (error_level > ERROR || fuzz_error.sqlstate == ERRCODE_INTERNAL_ERROR ||
		fuzz_error.sqlstate == ERRCODE_OUT_OF_MEMORY || fuzz_error.message == NULL)
		fuzz_bug("internal error at %s:%d: %s", filename, lineno,
				 fuzz_error.message ? fuzz_error.message : "(no message)");
	check_field("message", fuzz_error.message, true);
	check_field("detail", fuzz_error.detail, true);
	check_field("hint", fuzz_error.hint, true);
	check_field("context", fuzz_error.context, true);
	check_field("query", fuzz_error.query, false);
	if (PG_exception_stack == NULL)
		fuzz_bug("nobody catches: %s", fuzz_error.message);
	siglongjmp(*PG_exception_stack, 1);
}

void
ExceptionalCondition(const char *conditionName,
#if PG_VERSION_NUM < 160000
					 const char *errorType,
#endif
					 const char *fileName, int lineNumber)
{
	fuzz_bug("%s:%d: assertion failed: %s", fileName, lineNumber, conditionName);
}

bool
fuzz_try(void (*function) (void *arg), void *arg)
{
	sigjmp_buf *previous = PG_exception_stack;
	MemoryContext context = CurrentMemoryContext;
	sigjmp_buf	buffer;
	bool		done = sigsetjmp(buffer, 0) == 0;

	if (done)
	{
		PG_exception_stack = &buffer;
		function(arg);
		fuzz_expect(CurrentMemoryContext == context);
		fuzz_expect(error_context_stack == NULL);
	}
	PG_exception_stack = previous;
	error_context_stack = NULL;
	CurrentMemoryContext = context;
	return done;
}

void
fuzz_hide(bool hide)
{
	hiding = hide;
}

void
fuzz_demand_printable(void)
{
	demanding_printable = true;
}

/*
 * Characters.
 */

static int	encoding = PG_UTF8;

int
GetDatabaseEncoding(void)
{
	return encoding;
}

int
pg_database_encoding_max_length(void)
{
	return pg_encoding_max_length(encoding);
}

bool
pg_verifymbstr(const char *mbstr, int len, bool noError)
{
	fuzz_expect(noError);
	return pg_encoding_verifymbstr(encoding, mbstr, len) == len;
}

int
pg_mbstrlen_with_len(const char *mbstr, int limit)
{
	int			n = 0;

	for (int len; limit > 0 && *mbstr; limit -= len, mbstr += len, n++)
		len = pg_encoding_mblen(encoding, mbstr);
	return n;
}

int
pg_mbcliplen(const char *mbstr, int len, int limit)
{
	int			at = 0;

	while (at < len && mbstr[at] && at + pg_encoding_mblen(encoding, mbstr + at) <= Min(len, limit))
		at += pg_encoding_mblen(encoding, mbstr + at);
	return at;
}

void
fuzz_use_encoding_of(const char *text)
{
	static const int encodings[] = {PG_UTF8, PG_EUC_JP, PG_LATIN1};

	for (int i = 0; i < lengthof(encodings); i++)
	{
		encoding = encodings[i];
		if (pg_verifymbstr(text, strlen(text), true))
			return;
	}
}

bool
scanner_isspace(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f';
}

char *
downcase_identifier(const char *ident, int len, bool warn, bool truncate)
{
	char	   *result = pnstrdup(ident, len);

	fuzz_expect(!truncate);
	for (char *p = result; *p; p++)
		*p = pg_ascii_tolower((unsigned char) *p);
	return result;
}

const char *
quote_identifier(const char *ident)
{
	StringInfoData quoted;
	Size		plain = strspn(ident, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (plain > 0 && ident[plain] == '\0' && !isdigit((unsigned char) ident[0]))
		return ident;
	initStringInfo(&quoted);
	appendStringInfoChar(&quoted, '"');
	for (; *ident; ident++)
	{
		if (*ident == '"')
			appendStringInfoChar(&quoted, '"');
		appendStringInfoChar(&quoted, *ident);
	}
	appendStringInfoChar(&quoted, '"');
	return quoted.data;
}

bool
parse_bool(const char *value, bool *result)
{
	static const struct
	{
		const char *word;
		Size		least;		/* bytes that tell it from others */
		bool		value;
	}			words[] = {
		{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
		{"on", 2, true}, {"off", 2, false}, {"1", 1, true}, {"0", 1, false},
	};
	Size		len = strlen(value);

	for (int i = 0; i < lengthof(words); i++)
		if (len >= words[i].least && len <= strlen(words[i].word) &&
			pg_strncasecmp(value, words[i].word, len) == 0)
		{
			*result = words[i].value;
			return true;
		}
	return false;
}

/* For costs of 1, by bytes. */
int
varstr_levenshtein_less_equal(const char *source, int slen, const char *target, int tlen,
							  int ins_c, int del_c, int sub_c, int max_d, bool trusted)
{
	int			row[256];

	fuzz_expect(ins_c == 1 && del_c == 1 && sub_c == 1 && trusted);
	if (tlen >= lengthof(row) || slen >= lengthof(row))
		elog(ERROR, "levenshtein argument exceeds maximum length");
	for (int t = 0; t <= tlen; t++)
		row[t] = t;
	for (int s = 1; s <= slen; s++)
	{
		int			diagonal = row[0];

		row[0] = s;
		for (int t = 1; t <= tlen; t++)
		{
			int			above = row[t];

			row[t] = Min(Min(row[t - 1], above) + 1, diagonal + (source[s - 1] != target[t - 1]));
			diagonal = above;
		}
	}
	return max_d >= 0 && row[tlen] > max_d ? max_d + 1 : row[tlen];
}

/*
 * Lists and nodes.
 */

static List *
new_list(int n)
{
	List	   *list = palloc(offsetof(List, initial_elements));

	list->type = T_List;
	list->length = list->max_length = n;
	list->elements = palloc(Max(n, 1) * sizeof(ListCell));
	return list;
}

List *
list_make1_impl(NodeTag t, ListCell datum1)
{
	List	   *list = new_list(1);

	list->elements[0] = datum1;
	return list;
}

List *
list_make2_impl(NodeTag t, ListCell datum1, ListCell datum2)
{
	List	   *list = new_list(2);

	list->elements[0] = datum1;
	list->elements[1] = datum2;
	return list;
}

/* Always moves the elements, with the context they were in. */
List *
lappend(List *list, void *datum)
{
	if (list == NIL)
		list = new_list(1);
	else
		list->elements = repalloc(list->elements, (++list->length) * sizeof(ListCell));
	list->elements[list->length - 1].ptr_value = datum;
	return list;
}

List *
list_delete_nth_cell(List *list, int n)
{
	fuzz_expect(n >= 0 && n < list->length);
	if (--list->length == 0)
	{
		pfree(list->elements);
		pfree(list);
		return NIL;
	}
	memmove(list->elements + n, list->elements + n + 1, (list->length - n) * sizeof(ListCell));
	return list;
}

List *
list_delete_cell(List *list, ListCell *cell)
{
	return list_delete_nth_cell(list, cell - list->elements);
}

List *
list_delete_ptr(List *list, void *datum)
{
	ListCell   *cell;

	foreach(cell, list)
		if (lfirst(cell) == datum)
			return list_delete_cell(list, cell);
	return list;
}

void
list_sort(List *list, list_sort_comparator cmp)
{
	if (list)
		qsort(list->elements, list->length, sizeof(ListCell),
			  (int (*) (const void *, const void *)) cmp);
}

DefElem *
makeDefElem(char *name, Node *arg, int location)
{
	DefElem    *element = makeNode(DefElem);

	element->defname = name;
	element->arg = arg;
	element->location = location;
	return element;
}

RangeVar *
makeRangeVar(char *schemaname, char *relname, int location)
{
	RangeVar   *var = makeNode(RangeVar);

	var->schemaname = schemaname;
	var->relname = relname;
	var->location = location;
	return var;
}

Integer *
makeInteger(int i)
{
	Integer    *value = makeNode(Integer);

	value->ival = i;
	return value;
}

Float *
makeFloat(char *numericStr)
{
	Float	   *value = makeNode(Float);

	value->fval = numericStr;
	return value;
}

String *
makeString(char *str)
{
	String	   *value = makeNode(String);

	value->sval = str;
	return value;
}

/*
 * The rest.
 */

bool		standard_conforming_strings = true;
bool		fuzz_privileged = true;
volatile sig_atomic_t InterruptPending = false;
const int	day_tab[2][13] =
{
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}
};

/* Days by Zeller, from the epoch of PostgreSQL. */
int
tm2timestamp(struct pg_tm *tm, fsec_t fsec, int *tzp, Timestamp *result)
{
	int64		y = tm->tm_mon > 2 ? tm->tm_year : tm->tm_year - 1;
	int64		m = tm->tm_mon > 2 ? tm->tm_mon - 3 : tm->tm_mon + 9;
	int64		days;

	if (tm->tm_year < -4713 || tm->tm_year >= 294277)
		return -1;
	days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + tm->tm_mday - 730426;
	*result = (days * SECS_PER_DAY + (tm->tm_hour * 60 + tm->tm_min) * 60 + tm->tm_sec) * USECS_PER_SEC;
	return 0;
}

TimestampTz
time_t_to_timestamptz(pg_time_t tm)
{
	return (tm - 946684800) * USECS_PER_SEC;
}

TimestampTz
GetCurrentTimestamp(void)
{
	return 0;
}

/* With a clock that stands still. */
long
TimestampDifferenceMilliseconds(TimestampTz start_time, TimestampTz stop_time)
{
	return stop_time > start_time ? (long) ((stop_time - start_time + 999) / 1000) : 0;
}

void
check_stack_depth(void)
{
}

Oid
GetUserId(void)
{
	return InvalidOid;
}

bool
has_privs_of_role(Oid member, Oid role)
{
	return fuzz_privileged;
}

/* Not random, so that an input always does the same. */
bool
pg_strong_random(void *buf, size_t len)
{
	memset(buf, 0x5a, len);
	return true;
}

uint64
hex_decode(const char *src, size_t len, char *dst)
{
	for (size_t i = 0; i < len / 2; i++)
	{
		unsigned int byte;

		fuzz_expect(sscanf(src + 2 * i, "%2x", &byte) == 1);
		dst[i] = (char) byte;
	}
	return len / 2;
}

/*
 * Inputs.
 */

char *
fuzz_text(const char *data, Size size)
{
	return pnstrdup(data, size);
}

char *
fuzz_cut(char **rest, const char *separator)
{
	char	   *end = strstr(*rest, separator);
	char	   *first = end ? pnstrdup(*rest, end - *rest) : pstrdup(*rest);

	*rest = pstrdup(end ? end + strlen(separator) : "");
	return first;
}

void
fuzz_touch(const char *text)
{
	volatile Size len = text ? strlen(text) : 0;

	(void) len;
}

int			LLVMFuzzerInitialize(int *argc, char ***argv);
int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	TopMemoryContext = AllocSetContextCreate(NULL, "top", ALLOCSET_DEFAULT_SIZES);
	CurrentMemoryContext = error_texts = TopMemoryContext;
	fuzz_setup();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "input", ALLOCSET_DEFAULT_SIZES);

	CurrentMemoryContext = context;
	error_texts = AllocSetContextCreate(context, "errors", ALLOCSET_DEFAULT_SIZES);
	encoding = PG_UTF8;
	hiding = demanding_printable = false;
	fuzz_privileged = standard_conforming_strings = true;
	fuzz_one((const char *) data, size);

	CurrentMemoryContext = error_texts = TopMemoryContext;
	MemoryContextDelete(context);
	return 0;
}
