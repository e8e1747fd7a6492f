/*-------------------------------------------------------------------------
 *
 * verb.c
 *	  What all transfers have in common before they begin.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "tcop/utility.h"

#include "errors.h"
#include "hygiene.h"
#include "transfer/verb.h"

void
link_verb_require_allowed(const char *verb)
{
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot execute %s within security-restricted operation", verb)));
	PreventCommandIfParallelMode(verb);
}

void
link_verb_text_position(void *arg)
{
	const char *text = arg;
	int			position = geterrposition();

	if (position <= 0 || getinternalerrposition() > 0)
		return;
	errposition(0);
	if (!link_text_is_sensitive(text))
	{
		internalerrposition(position);
		internalerrquery(text);
	}
}
