# A private Kerberos realm, TEST.LOCAL, on loopback; nothing under /etc. Sourced by
# bash after test/lib.sh.
#
# kerberos_start FOLDER             starts the key distribution centre; false if it does not start
# kerberos_stop
# kerberos_down, kerberos_up [SKEW]  it alone, its data kept; its clock off by SKEW (+1h)
# kerberos_principal NAME KEYTAB    makes NAME with random keys, added to FOLDER/KEYTAB
#
# These need LINK_KERBEROS_FOLDER only, so a test may call them from another shell.
#
# Exports KRB5_CONFIG, LINK_KERBEROS_FOLDER, LINK_KERBEROS_REALM,
# LINK_KERBEROS_PRINCIPAL (tester@TEST.LOCAL) with LINK_KERBEROS_KEYTAB,
# LINK_KERBEROS_OTHER_PRINCIPAL with LINK_KERBEROS_OTHER_KEYTAB,
# LINK_KERBEROS_STALE_KEYTAB (tester, keys the realm no longer knows),
# LINK_KERBEROS_PASSWORD (principal alice's, for kinit).

. "$LINK_SOURCE/test/services/util.sh"

kerberos_packages() { install_packages krb5-kdc krb5-admin-server krb5-user libfaketime openssl; }

# kerberos_tool COMMAND...: with the realm's own configuration, as the folder's owner
kerberos_tool()
{
	local d=$LINK_KERBEROS_FOLDER
	service_as "$d" env KRB5_CONFIG="$d/krb5.conf" KRB5_KDC_PROFILE="$d/kdc.conf" PATH="$PATH:/usr/sbin:/sbin" "$@"
}

kerberos_principal()
{
	local d=$LINK_KERBEROS_FOLDER
	{ kerberos_tool kadmin.local -q "addprinc -randkey $1" &&
		kerberos_tool kadmin.local -q "ktadd -k $d/$2 $1"; } >>"$d/kadmin.log" 2>&1 &&
		[ -s "$d/$2" ] && chmod 644 "$d/$2"
}

kerberos_up()
{
	local d=$LINK_KERBEROS_FOLDER skew=()
	[ -z "${1:-}" ] || skew=(FAKETIME="$1" LD_PRELOAD="$(echo /usr/lib/*/faketime/libfaketime.so.1)")
	service_spawn "$d" kdc env "${skew[@]}" KRB5_CONFIG="$d/krb5.conf" KRB5_KDC_PROFILE="$d/kdc.conf" /usr/sbin/krb5kdc -n &&
		service_wait "$d" kdc 10 service_port_open "$(cat "$d/port")"
}

kerberos_down() { service_end "$LINK_KERBEROS_FOLDER" kdc; }

kerberos_start()
{
	local d=$1 port pw
	[ -x /usr/sbin/krb5kdc ] || return 1
	export LINK_KERBEROS_FOLDER=$d
	mkdir -p "$d" && port=$(service_ports 1) || return 1
	echo "$port" >"$d/port"
	cat >"$d/krb5.conf" <<C
[libdefaults]
 default_realm = TEST.LOCAL
 dns_lookup_realm = false
 dns_lookup_kdc = false
 rdns = false
 dns_canonicalize_hostname = false
 udp_preference_limit = 1
[realms]
 TEST.LOCAL = {
  kdc = 127.0.0.1:$port
 }
[domain_realm]
 localhost = TEST.LOCAL
C
	cat >"$d/kdc.conf" <<C
[kdcdefaults]
 kdc_listen = 127.0.0.1:$port
 kdc_tcp_listen = 127.0.0.1:$port
[realms]
 TEST.LOCAL = {
  database_name = $d/principal
  key_stash_file = $d/stash
  acl_file = $d/kadm5.acl
  max_life = 10h
  max_renewable_life = 7d
 }
[logging]
 kdc = FILE:$d/kdc.log
C
	: >"$d/kadm5.acl"
	service_folder "$d" || return 1
	pw=$(openssl rand -hex 12)
	kerberos_tool kdb5_util create -s -P "$(openssl rand -hex 12)" -r TEST.LOCAL >"$d/kadmin.log" 2>&1 &&
		kerberos_tool kadmin.local -q "addprinc -pw $pw alice" >>"$d/kadmin.log" 2>&1 &&
		kerberos_principal tester stale.keytab && kerberos_principal tester client.keytab &&
		kerberos_principal other other.keytab && kerberos_principal HTTP/localhost http.keytab &&
		kerberos_up || { cat "$d/kadmin.log" >&2; return 1; }

	export KRB5_CONFIG=$d/krb5.conf
	export LINK_KERBEROS_REALM=TEST.LOCAL
	export LINK_KERBEROS_PRINCIPAL=tester@TEST.LOCAL LINK_KERBEROS_KEYTAB=$d/client.keytab
	export LINK_KERBEROS_OTHER_PRINCIPAL=other@TEST.LOCAL LINK_KERBEROS_OTHER_KEYTAB=$d/other.keytab
	export LINK_KERBEROS_STALE_KEYTAB=$d/stale.keytab LINK_KERBEROS_PASSWORD=$pw
}

kerberos_stop()
{
	[ -n "${LINK_KERBEROS_FOLDER:-}" ] || return 0
	kerberos_down
}
