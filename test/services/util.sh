# What the service scripts share. Sourced by them, after test/lib.sh.
#
# A service keeps all it has in its FOLDER and runs as the owner of that folder:
# whoever may write there, root or postgres, may also stop and restart it.

LINK_CACHE=${LINK_CACHE:-/var/cache/link-test}

# service_cached NAME COMMAND...: the folder $LINK_CACHE/NAME, filled by
# "COMMAND... FOLDER" if it is not there yet; half a download never shows there.
service_cached()
{
	local to=$LINK_CACHE/$1 new
	shift
	[ ! -e "$to" ] || return 0
	if ! mkdir -p "$LINK_CACHE" 2>/dev/null || [ ! -w "$LINK_CACHE" ]; then
		# not ours: a folder of our own in it, once
		as_root mkdir -p "$LINK_CACHE" && as_root install -d -o "$(id -u)" "$LINK_CACHE/${to##*/}.$$" || return 1
	fi
	new=$LINK_CACHE/${to##*/}.$$
	mkdir -p "$new" || return 1
	say "downloading ${to##*/} into $LINK_CACHE"
	if ! "$@" "$new" >"$new/download.log" 2>&1; then
		tail -n 30 "$new/download.log" >&2
		chmod -R u+w "$new"
		rm -rf "$new" 2>/dev/null || as_root rm -rf "$new"
		return 1
	fi
	chmod -R a+rX "$new"
	if [ -w "$LINK_CACHE" ]; then mv -T "$new" "$to"; else as_root mv -T "$new" "$to"; fi 2>/dev/null ||
		rm -rf "$new" # somebody else was faster
	[ -e "$to" ]
}

# service_jars FOLDER GROUP:ARTIFACT:VERSION...: with Maven, those and all they
# depend on, as FOLDER/*.jar; -C: a file whose sum is not the registry's is refused.
service_jars()
{
	local to=${!#} a
	{
		echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
		echo '<groupId>link</groupId><artifactId>test</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
		for a in "${@:1:$#-1}"; do
			echo "<dependency><groupId>${a%%:*}</groupId><artifactId>$(cut -d: -f2 <<<"$a")</artifactId><version>${a##*:}</version></dependency>"
		done
		echo '</dependencies></project>'
	} >"$to/pom.xml"
	mvn -q -B -C -f "$to/pom.xml" -Dmaven.repo.local="$to/m2" -DincludeScope=runtime -DoutputDirectory="$to" \
		org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies &&
		rm -rf "$to/m2" && ls "$to"/*.jar
}

service_java()
{
	local java
	command -v java >/dev/null || install_packages default-jre-headless

	# Hadoop runs on none that is newer
	if [ "$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')" -gt 21 ]; then
		install_packages openjdk-21-jre-headless
		for java in /usr/lib/jvm/java-21-openjdk-*/bin; do export PATH=$java:$PATH; done
	fi
	[ -e "$LINK_CACHE/$1" ] || command -v mvn >/dev/null || install_packages maven
}

# service_go MODULE@VERSION FOLDER: the program alone stays. The go command checks
# each module against the checksum database.
service_go()
{
	local go=go
	if ! service_go_new; then go=$LINK_CACHE/go-$GO_VERSION/bin/go; fi
	env GOBIN="$2" GOMODCACHE="$2/mod" GOCACHE="$2/build" GOFLAGS=-modcacherw CGO_ENABLED=0 \
		"$go" install -trimpath -ldflags=-s "$1" && rm -rf "$2/mod" "$2/build"
}

# From 1.21 on, go fetches the version that a module asks for by itself. Debian 12's
# (1.19) does not, so there one comes from where those come from: the module proxy.
# The sums are of the files that go itself found good by the checksum database.
GO_VERSION=1.26.0
service_go_new() { command -v go >/dev/null && [ "$(printf '%s\n' 1.21 "$(go env GOVERSION | tr -d 'go')" | sort -V | head -n 1)" = 1.21 ]; }

# service_go_toolchain FOLDER
service_go_toolchain()
{
	local name sum
	case $(uname -m) in
		x86_64) name=linux-amd64 sum=38461905b98c59173672814302e222ab43b652274bc0c95817b08b71ab66b705 ;;
		aarch64) name=linux-arm64 sum=4c3f961bc257ff52e7a425166f9f75015f645dff071d01a81823455ffe646609 ;;
		*) return 1 ;;
	esac
	curl -fsSL -o "$1/go.zip" "https://proxy.golang.org/golang.org/toolchain/@v/v0.0.1-go$GO_VERSION.$name.zip" &&
		echo "$sum  $1/go.zip" | sha256sum -c - && python3 -m zipfile -e "$1/go.zip" "$1" &&
		mv "$1/golang.org/toolchain@v0.0.1-go$GO_VERSION.$name"/* "$1" && rm -rf "$1/go.zip" "$1/golang.org" &&
		chmod a+x "$1"/bin/* && find "$1/pkg/tool" -type f -exec chmod a+x {} +
}

# service_go_packages NAME: a compiler, if NAME is still to be built.
service_go_packages()
{
	[ ! -e "$LINK_CACHE/$1" ] || return 0
	install_packages ca-certificates curl python3 &&
		{ service_go_new || service_cached "go-$GO_VERSION" service_go_toolchain; }
}

# service_folder FOLDER: made, and given to postgres if we are root and it can get there.
service_folder()
{
	mkdir -p "$1" || return 1
	if [ "$(id -u)" = 0 ] && id postgres >/dev/null 2>&1 && [ "$(stat -c %U "$1")" = root ] &&
		setpriv --reuid postgres --regid postgres --init-groups test -x "$1"; then
		chown -R postgres: "$1"
	fi
}

# service_as FOLDER COMMAND...: as the owner of FOLDER.
service_as()
{
	local d=$1 owner
	shift
	owner=$(stat -c %U "$d")
	if [ "$(id -u)" = 0 ] && [ "$owner" != root ]; then
		setpriv --reuid "$owner" --regid "$(id -g "$owner")" --init-groups env HOME="$d" "$@"
	else
		"$@"
	fi
}

# service_spawn FOLDER NAME COMMAND...: in the background, with FOLDER/NAME.pid and
# FOLDER/NAME.log; holds nothing of the caller open.
service_spawn()
{
	local d=$1 name=$2 i
	shift 2
	rm -f "$d/$name.pid"
	service_as "$d" setsid bash -c 'cd "$1" && exec >>"$2.log" 2>&1 && echo $$ >"$2.pid" && shift 2 && exec "$@"' \
		- "$d" "$name" "$@" </dev/null >/dev/null 2>&1 &
	for i in $(seq 100); do
		[ ! -s "$d/$name.pid" ] || return 0
		sleep 0.02
	done
	return 1
}

# service_end FOLDER NAME [SECONDS]: TERM, and KILL for one that does not go.
service_end()
{
	local p i
	p=$(cat "$1/$2.pid" 2>/dev/null) || return 0
	[ -n "$p" ] || return 0
	kill "$p" 2>/dev/null || { rm -f "$1/$2.pid"; return 0; }
	for i in $(seq $((${3:-10} * 20))); do
		kill -0 "$p" 2>/dev/null || break
		sleep 0.05
	done
	if kill -9 "$p" 2>/dev/null; then
		for i in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.05; done
	fi
	rm -f "$1/$2.pid"
}

service_port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# service_ports N: N free ports in a row, the first one printed.
service_ports()
{
	local try base n
	for try in $(seq 100); do
		base=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		for n in $(seq 0 $(($1 - 1))); do
			if service_port_open $((base + n)); then continue 2; fi
		done
		echo "$base"
		return 0
	done
	say "no free ports"
	return 1
}

# service_wait FOLDER NAME SECONDS COMMAND...: until COMMAND is true; false if the
# process ended or the time is over, with the end of its log told.
service_wait()
{
	local d=$1 name=$2 i seconds=$3
	shift 3
	for i in $(seq $((seconds * 10))); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		kill -0 "$(cat "$d/$name.pid" 2>/dev/null)" 2>/dev/null || break
		sleep 0.1
	done
	say "$name does not start:"
	tail -n 30 "$d/$name.log" >&2
	return 1
}

# service_tls FOLDER: a certificate authority ca.pem and a server certificate of
# it for localhost and 127.0.0.1: cert.pem, key.pem (PKCS#8); client.pem,
# client.key for CN=client.
service_tls()
{
	local d=$1
	mkdir -p "$d" || return 1
	(
		cd "$d" &&
			openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj '/CN=link test CA' \
				-addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign &&
			openssl req -newkey rsa:2048 -nodes -keyout key.pem -out server.csr -subj /CN=localhost &&
			openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 30 -out cert.pem -extfile \
				<(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:false\nextendedKeyUsage=serverAuth,clientAuth\n') &&
			openssl req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=client &&
			openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 30 -out client.pem -extfile \
				<(printf 'basicConstraints=CA:false\nextendedKeyUsage=clientAuth\n') &&
			chmod 644 ./*.pem
	) >"$d/openssl.log" 2>&1 || { cat "$d/openssl.log" >&2; return 1; }
}
