/*-------------------------------------------------------------------------
 *
 * fields.c
 *	  A pipeline's list of fields and its format options: as typed, and as they
 *	  are stored; what is found where a field leads to.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "nodes/makefuncs.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "errors.h"
#include "lexis.h"
#include "pipeline/clauses.h"

/*
 * What is stored.
 */

static Jsonb *
stored(const char *json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

static char *
json_string(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* The rest of an array that has begun, as char *. */
static List *
json_strings(JsonbIterator **it)
{
	List	   *strings = NIL;
	JsonbValue	value;

	while (JsonbIteratorNext(it, &value, true) == WJB_ELEM)
		strings = lappend(strings, json_string(&value));
	return strings;
}

List *
link_fields_from_json(const char *json)
{
	List	   *fields = NIL;
	LinkPipelineField *field = NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		is_name = false;

	if (json == NULL)
		return NIL;
	it = JsonbIteratorInit(&stored(json)->root);
	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
		{
			field = palloc0(sizeof(LinkPipelineField));
			field->name = json_string(&value);
			fields = lappend(fields, field);
		}
		else if (token == WJB_BEGIN_OBJECT)
		{
			field = palloc0(sizeof(LinkPipelineField));
			fields = lappend(fields, field);
		}
		else if (token == WJB_KEY)
			is_name = value.val.string.len == 4;
		else if (token == WJB_VALUE && is_name)
			field->name = json_string(&value);
		else if (token == WJB_BEGIN_ARRAY && field)
			field->path = json_strings(&it);
	}
	return fields;
}

char *
link_fields_to_json(List *fields)
{
	StringInfoData json;
	ListCell   *lc;

	if (fields == NIL)
		return NULL;
	initStringInfo(&json);
	foreach(lc, fields)
	{
		LinkPipelineField *field = lfirst(lc);
		ListCell   *key;

		appendStringInfoChar(&json, json.len > 0 ? ',' : '[');
		if (field->path == NIL)
		{
			escape_json(&json, field->name);
			continue;
		}
		appendStringInfoString(&json, "{\"name\":");
		escape_json(&json, field->name);
		appendStringInfoString(&json, ",\"path\":");
		foreach(key, field->path)
		{
			appendStringInfoChar(&json, key == list_head(field->path) ? '[' : ',');
			escape_json(&json, lfirst(key));
		}
		appendStringInfoString(&json, "]}");
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

static Node *
option_value(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvBool:
			return (Node *) makeBoolean(value->val.boolean);
		case jbvNumeric:
			return (Node *) makeFloat(DatumGetCString(DirectFunctionCall1(numeric_out,
																		  NumericGetDatum(value->val.numeric))));
		case jbvString:
			return (Node *) makeString(json_string(value));
		default:
			return NULL;
	}
}

List *
link_format_options_from_json(const char *json)
{
	List	   *options = NIL;
	JsonbIterator *it = JsonbIteratorInit(&stored(json)->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = json_string(&value);
		else if (token == WJB_VALUE)
			options = lappend(options, makeDefElem(name, option_value(&value), -1));
		else if (token == WJB_BEGIN_ARRAY && name)
		{
			List	   *names = NIL;
			ListCell   *lc;

			foreach(lc, json_strings(&it))
				names = lappend(names, makeString(lfirst(lc)));
			options = lappend(options, makeDefElem(name, (Node *) names, -1));
		}
	}
	return options;
}

static void
append_option_value(StringInfo json, Node *value)
{
	ListCell   *lc;

	if (value == NULL)
		appendStringInfoString(json, "true");
	else if (IsA(value, Boolean))
		appendStringInfoString(json, boolVal(value) ? "true" : "false");
	else if (IsA(value, Integer))
		appendStringInfo(json, "%d", intVal(value));
	else if (IsA(value, Float))
		appendStringInfoString(json, castNode(Float, value)->fval);
	else if (IsA(value, List))
	{
		appendStringInfoChar(json, '[');
		foreach(lc, (List *) value)
		{
			if (lc != list_head((List *) value))
				appendStringInfoChar(json, ',');
			escape_json(json, strVal(lfirst(lc)));
		}
		appendStringInfoChar(json, ']');
	}
	else
		escape_json(json, strVal(value));
}

char *
link_format_options_to_json(List *options)
{
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (json.len > 1)
			appendStringInfoChar(&json, ',');
		escape_json(&json, option->defname);
		appendStringInfoChar(&json, ':');
		append_option_value(&json, option->arg);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/*
 * What is typed.
 */

static void
bad_field(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("invalid field of a pipeline: \"%s\"", text),
			 errhint("Write a column, @variable, or either with \"<- key::key\" behind it, where to find it in a JSON object.")));
}

/*
 * An identifier from *p on, in double quotes or backquotes perhaps; one without
 * is folded if that is asked for.  NULL if there is none.
 */
static char *
identifier(const char **p, bool fold)
{
	StringInfoData word;
	const char *s = *p;
	char		quote = *s;

	if (quote == '"' || quote == '`')
	{
		initStringInfo(&word);
		for (s++; *s != '\0' && (*s != quote || s[1] == quote); s++)
		{
			if (*s == quote)
				s++;
			appendStringInfoChar(&word, *s);
		}
		if (*s == '\0' || word.len == 0)
			return NULL;
		*p = s + 1;
		return word.data;
	}
	if (!link_sql_begins_word(*s))
		return NULL;
	while (link_sql_continues_word(*s))
		s++;
	word.data = fold ? downcase_identifier(*p, s - *p, false, false) : pnstrdup(*p, s - *p);
	*p = s;
	return word.data;
}

static const char *
skip_space(const char *p)
{
	while (link_sql_is_space(p))
		p++;
	return p;
}

LinkPipelineField *
link_field_parse(const char *text)
{
	LinkPipelineField *field = palloc0(sizeof(LinkPipelineField));
	const char *p = skip_space(text);
	bool		variable = *p == '@';
	char	   *name;

	if (variable)
		p++;
	name = identifier(&p, true);
	if (name == NULL)
		bad_field(text);
	if (!variable && name[0] == '@')
		bad_field(text);
	field->name = variable ? psprintf("@%s", name) : name;
	if (strlen(field->name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("identifier is too long"),
				 errdetail("A name has at most %d bytes.", NAMEDATALEN - 1)));
	p = skip_space(p);
	if (p[0] == '<' && p[1] == '-')
	{
		p += 2;
		do
		{
			char	   *key;

			p = skip_space(p);
			key = identifier(&p, false);
			if (key == NULL)
				bad_field(text);
			field->path = lappend(field->path, key);
			p = skip_space(p);
		} while (p[0] == ':' && p[1] == ':' && (p += 2));
	}
	if (*p != '\0')
		bad_field(text);
	return field;
}

/* As link_field_parse() reads it: in backquotes unless it is a plain word. */
static void
append_key(StringInfo out, const char *key)
{
	const char *p = key;

	if (link_sql_begins_word(*p))
		while (link_sql_continues_word(*p))
			p++;
	if (*p == '\0' && *key != '\0')
	{
		appendStringInfoString(out, key);
		return;
	}
	appendStringInfoChar(out, '`');
	for (p = key; *p != '\0'; p++)
	{
		if (*p == '`')
			appendStringInfoChar(out, '`');
		appendStringInfoChar(out, *p);
	}
	appendStringInfoChar(out, '`');
}

char *
link_field_text(const LinkPipelineField *field)
{
	StringInfoData out;
	ListCell   *lc;
	bool		variable = link_field_is_variable(field);

	initStringInfo(&out);
	appendStringInfo(&out, "%s%s", variable ? "@" : "", quote_identifier(field->name + variable));
	foreach(lc, field->path)
	{
		appendStringInfoString(&out, lc == list_head(field->path) ? " <- " : "::");
		append_key(&out, lfirst(lc));
	}
	return out.data;
}

/*
 * Where the path leads.
 */

JsonbValue *
link_field_find(Jsonb *json, List *path, JsonbValue *root)
{
	JsonbValue *at = root;
	ListCell   *lc;

	if (JB_ROOT_IS_SCALAR(json))
		(void) JsonbExtractScalar(&json->root, root);
	else
	{
		root->type = jbvBinary;
		root->val.binary.data = &json->root;
		root->val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
	foreach(lc, path)
	{
		const char *key = lfirst(lc);

		if (at->type != jbvBinary || !JsonContainerIsObject(at->val.binary.data))
			return NULL;
		at = getKeyJsonValueFromContainer(at->val.binary.data, key, strlen(key), NULL);
		if (at == NULL)
			return NULL;
	}
	return at->type == jbvNull ? NULL : at;
}
