/*-------------------------------------------------------------------------
 *
 * draw.c
 *	  A table drawn as psql draws it.
 *
 * The shapes are those of print_aligned_text() in psql's print.c: widths are
 * columns of the terminal, control characters are written as escapes, a line
 * break within a text is marked with a plus sign at the end of the line.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "errors.h"
#include "statement/draw.h"

/* One line of a cell, ready to be printed. */
typedef struct CellLine
{
	char	   *text;
	int			width;
} CellLine;

/* Tab stops of psql. */
#define TAB_WIDTH 8

static CellLine *
make_line(StringInfo text, int width)
{
	CellLine   *line = palloc(sizeof(CellLine));

	line->text = pstrdup(text->data);
	line->width = width;
	return line;
}

/* Lines of a text: list of CellLine *, NIL for NULL. */
static List *
split_cell(const char *text)
{
	StringInfoData line;
	List	   *lines = NIL;
	int			width = 0;

	if (text == NULL)
		return NIL;
	initStringInfo(&line);
	for (const char *p = text; *p != '\0';)
	{
		int			len = pg_mblen(p);
		int			columns;
		int			before = line.len;

		if (*p == '\n')
		{
			lines = lappend(lines, make_line(&line, width));
			resetStringInfo(&line);
			width = 0;
		}
		else if (*p == '\t')
		{
			columns = TAB_WIDTH - width % TAB_WIDTH;
			appendStringInfoSpaces(&line, columns);
			width += columns;
		}
		else if (*p == '\r')
		{
			appendStringInfoString(&line, "\\r");
			width += line.len - before;
		}
		else if ((columns = pg_dsplen(p)) >= 0)
		{
			appendBinaryStringInfo(&line, p, len);
			width += columns;
		}
		else
		{
			if (len > 1 && GetDatabaseEncoding() == PG_UTF8)
				appendStringInfo(&line, "\\u%04X", utf8_to_unicode((const unsigned char *) p));
			else
				appendStringInfo(&line, "\\x%02X", (unsigned char) *p);
			width += line.len - before;
		}
		p += len;
	}
	return lappend(lines, make_line(&line, width));
}

static void
end_line(List **drawn, StringInfo line)
{
	*drawn = lappend(*drawn, pstrdup(line->data));
	resetStringInfo(line);
}

/* Names stand in the middle. */
static void
draw_header(List **drawn, int n_columns, CellLine **names, const int *widths)
{
	StringInfoData line;

	initStringInfo(&line);
	for (int i = 0; i < n_columns; i++)
	{
		int			room = widths[i] - names[i]->width;

		if (i > 0)
			appendStringInfoChar(&line, '|');
		appendStringInfoSpaces(&line, 1 + room / 2);
		appendStringInfoString(&line, names[i]->text);
		appendStringInfoSpaces(&line, (room + 1) / 2 + 1);
	}
	end_line(drawn, &line);

	for (int i = 0; i < n_columns; i++)
	{
		if (i > 0)
			appendStringInfoChar(&line, '+');
		for (int j = 0; j < widths[i] + 2; j++)
			appendStringInfoChar(&line, '-');
	}
	end_line(drawn, &line);
}

/* 'cells' are lists of CellLine *, one a column. */
static void
draw_row(List **drawn, int n_columns, const LinkDrawColumn *columns, const int *widths,
		 List **cells)
{
	StringInfoData line;
	int			height = 1;

	for (int i = 0; i < n_columns; i++)
		height = Max(height, list_length(cells[i]));

	initStringInfo(&line);
	for (int y = 0; y < height; y++)
	{
		for (int i = 0; i < n_columns; i++)
		{
			bool		last = i == n_columns - 1;
			bool		goes_on = y + 1 < list_length(cells[i]);
			CellLine   *cell = y < list_length(cells[i]) ? list_nth(cells[i], y) : NULL;
			int			room = widths[i] - (cell ? cell->width : 0);

			if (i > 0)
				appendStringInfoChar(&line, '|');
			appendStringInfoChar(&line, ' ');
			if (cell && columns[i].right)
				appendStringInfoSpaces(&line, room);
			if (cell)
				appendStringInfoString(&line, cell->text);

			/* Nothing trails behind the last column but its mark. */
			if (!(cell && columns[i].right) && (!last || goes_on))
				appendStringInfoSpaces(&line, room);
			if (goes_on)
				appendStringInfoChar(&line, '+');
			else if (!last)
				appendStringInfoChar(&line, ' ');
		}
		end_line(drawn, &line);
	}
}

List *
link_draw_table(int n_columns, const LinkDrawColumn *columns, List *rows)
{
	List	   *drawn = NIL;
	List	   *split = NIL;		/* of List **, as draw_row takes them */
	CellLine  **names = palloc(sizeof(CellLine *) * n_columns);
	int		   *widths = palloc(sizeof(int) * n_columns);
	ListCell   *cell;

	for (int i = 0; i < n_columns; i++)
	{
		names[i] = linitial(split_cell(columns[i].name));
		widths[i] = names[i]->width;
	}
	foreach(cell, rows)
	{
		char	  **texts = lfirst(cell);
		List	  **cells = palloc(sizeof(List *) * n_columns);

		for (int i = 0; i < n_columns; i++)
		{
			ListCell   *lc;

			cells[i] = split_cell(texts[i]);
			foreach(lc, cells[i])
				widths[i] = Max(widths[i], ((CellLine *) lfirst(lc))->width);
		}
		split = lappend(split, cells);
	}

	draw_header(&drawn, n_columns, names, widths);
	foreach(cell, split)
		draw_row(&drawn, n_columns, columns, widths, lfirst(cell));
	drawn = lappend(drawn, list_length(rows) == 1 ? pstrdup("(1 row)")
					: psprintf("(%d rows)", list_length(rows)));
	return drawn;
}
