#!/usr/bin/env bash
# What opening a link costs (look-up, rights, unsealing, a session) with many links
# and grants beside it, as a ratio to few. Needs root or sudo.
#
#   bash test/bench/links.sh [LINKS] [GRANTS]    default: 100000 links, 10000 grants
#
# Opened by a role with USE on the one link. The S3 link leads to a host that is
# not allowed, which is found after all that and before any network.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
stop_services() { :; }
trap clean_up EXIT

links=${1:-100000} grants=${2:-10000}

find_postgres
install_build_packages
make_work_folder
build_and_install
as_user mkdir "$LINK_WORK/files"
start_server "autovacuum = off" "link.master_key_file = '$LINK_WORK/link_master.key'" "session_preload_libraries = 'link'"

sql() { as_user psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

sql -v "files=$LINK_WORK/files" >/dev/null <<'S'
CREATE EXTENSION link;
CREATE ROLE opener LOGIN;
SELECT link.create_link('files', 'FS', config => json_build_object('root', :'files')::text);
SELECT link.create_link('hot', 'S3', '{"aws_access_key_id":"AKIABENCH","aws_secret_access_key":"secret"}', '{"region":"r","endpoint_url":"https://127.0.0.1:1"}');
SELECT link.grant_privilege('USE', 'LINK ' || l, 'opener') FROM unnest('{files,hot}'::text[]) l;
S

# Microseconds for one, the least of five rounds of 1,000: "FS S3".
open_links()
{
	sql -U opener -d postgres 2>&1 <<'S' | sed -n 's/.*NOTICE: *//p'
SET link.retry_timeout = 0;
DO $$
DECLARE
	start timestamptz;
	best float8[] := '{1e9,1e9}';
	base float8 := 1e9;
BEGIN
	FOR round IN 1 .. 5 LOOP
		start := clock_timestamp();
		FOR i IN 1 .. 1000 LOOP
			BEGIN RAISE division_by_zero; EXCEPTION WHEN others THEN NULL; END;
		END LOOP;
		base := least(base, extract(epoch FROM clock_timestamp() - start) * 1000);
		start := clock_timestamp();
		FOR i IN 1 .. 1000 LOOP
			PERFORM count(*) FROM link.list_files('public.files', 'none/');
		END LOOP;
		best[1] := least(best[1], extract(epoch FROM clock_timestamp() - start) * 1000);
		start := clock_timestamp();
		FOR i IN 1 .. 1000 LOOP
			BEGIN
				PERFORM link.read_file('public.hot', 'b/x');
				RAISE 'opened';
			EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN NULL;
			END;
		END LOOP;
		best[2] := least(best[2], extract(epoch FROM clock_timestamp() - start) * 1000);
	END LOOP;
	RAISE NOTICE '% %', round(best[1]::numeric, 1), round((best[2] - base)::numeric, 1);
END $$;
S
}

read -r few_fs few_s3 < <(open_links)
sql -v "links=$links" -v "grants=$grants" >/dev/null <<'S'
INSERT INTO link.link OVERRIDING SYSTEM VALUE
SELECT (jsonb_populate_record(l, jsonb_build_object('id', 1000 + n, 'name', 'l' || n, 'folded_name', 'l' || n))).*
FROM link.link l CROSS JOIN generate_series(1, :links) n WHERE l.name = 'hot';
INSERT INTO link.privilege
SELECT 1000 + n, '', CASE WHEN n % 2 = 0 THEN 'opener' ELSE 'postgres' END::link.role_ref, 'READ', current_user::text::link.role_ref, false
FROM generate_series(1, :grants) n;
ANALYZE link.link;
ANALYZE link.privilege;
S
read -r many_fs many_s3 < <(open_links)

printf '%-12s %14s %14s %8s\n' "opening" "few, us" "many, us" ratio
awk -v a="$few_fs" -v b="$many_fs" 'BEGIN {printf "%-12s %14.1f %14.1f %8.2f\n", "FS", a, b, b / a}'
awk -v a="$few_s3" -v b="$many_s3" 'BEGIN {printf "%-12s %14.1f %14.1f %8.2f\n", "S3, sealed", a, b, b / a}'
stop_server
