/*-------------------------------------------------------------------------
 *
 * server_file.c
 *	  Which files of the server a link may name: keytabs, keys, certificates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <stdlib.h>

#include "utils/varlena.h"

#include "errors.h"
#include "guc.h"
#include "provider/provider.h"

void
link_check_server_file(const char *key, const char *file, bool anywhere)
{
	char		real[PATH_MAX];
	char		root[PATH_MAX];
	List	   *roots;
	ListCell   *lc;

	if (!SplitDirectoriesString(pstrdup(link_file_roots), ',', &roots))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("invalid list syntax in parameter \"%s\"", "link.file_roots")));
	if (realpath(file, real) == NULL)
	{
		/* whether there is a file elsewhere is nobody's business */
		if (anywhere)
			ereport(ERROR,
					(errcode(ERRCODE_LINK_BAD_CREDENTIALS),
					 errmsg("could not find the file of \"%s\": %m", key)));
	}
	else if (anywhere)
		return;
	else
		foreach(lc, roots)
		{
			size_t		len;

			if (realpath(lfirst(lc), root) == NULL)
				continue;
			len = strlen(root);
			if (strncmp(real, root, len) == 0 && (real[len] == '/' || root[len - 1] == '/'))
				return;
		}
	ereport(ERROR,
			(errcode(ERRCODE_LINK_NO_PRIVILEGE),
			 errmsg("file of \"%s\" may not be used by a link", key),
			 errdetail("There is no such file below a directory of link.file_roots."),
			 errhint("Only links of superusers may have it elsewhere.")));
}
