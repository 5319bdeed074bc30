# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# PostgreSQL in a private cluster. To be sourced; see service.sh.
#
# It refuses to run as root; started by root it runs as the user `postgres` of the distribution's package. Where that user
# may not enter DIR (below a home directory, say), the cluster is kept in /var/lib/godwit.

# SIGINT is the fast shutdown: clients are disconnected, not waited for.
POSTGRES_STOP_SIGNAL=INT
POSTGRES_STOP_SECONDS=30
POSTGRES_USER=postgres

as_postgres() { # COMMAND...
    if ((EUID == 0)); then
        setpriv --reuid="$POSTGRES_USER" --regid="$POSTGRES_USER" --init-groups -- "$@"
    else
        "$@"
    fi
}

# Prints the folder of the cluster; the answer is written down at the first start and stays.
postgres_home() {
    local outside
    if [[ -s $DIR/run/postgres.home ]]; then
        cat "$DIR/run/postgres.home"
        return
    fi
    outside=/var/lib/godwit/$(sha256sum <<<"$DIR" | cut -c1-12)
    if ((EUID == 0)) && ! as_postgres test -x "$DIR"; then
        echo "$outside" >"$DIR/run/postgres.home"
    else
        echo "$DIR/postgres" >"$DIR/run/postgres.home"
    fi
    cat "$DIR/run/postgres.home"
}

postgres_identity() { echo "-D $(postgres_home)/data "; }

postgres_logs() {
    find "$(postgres_home)/log" -name '*.log' -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2
}

# A cluster can be opened only by the major version that made it.
postgres_bin() {
    local home major candidates
    home=$(postgres_home)
    if [[ -f $home/data/PG_VERSION ]]; then
        major=$(<"$home/data/PG_VERSION")
        candidates=$(compgen -G "/usr/lib/postgresql/$major/bin" || true)
        [[ -n $candidates ]] || die 1 "the data in '$home' needs PostgreSQL $major, which is not installed"
    else
        candidates=$(compgen -G '/usr/lib/postgresql/*/bin' || true)
        [[ -n $candidates ]] || die 1 "no PostgreSQL server found: run deploy/packages"
    fi
    sort -V <<<"$candidates" | tail -n 1
}

postgres_write_conf() { # HOME
    local durable=on
    [[ $PROFILE != test ]] || durable=off
    # One log a weekday, each overwritten a week later. Errors only: a unique violation is an answer, not an event.
    cat >"$1/godwit.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $POSTGRES_PORT
unix_socket_directories = ''
shared_buffers = 128MB
max_wal_size = 512MB
timezone = 'UTC'
fsync = $durable
synchronous_commit = $durable
full_page_writes = $durable
logging_collector = on
log_directory = '../log'
log_filename = 'postgres.%a.log'
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_checkpoints = off
log_min_messages = error
log_min_error_statement = panic
log_error_verbosity = terse
CONF
}

postgres_prepare() {
    local home bin
    home=$(postgres_home)
    bin=$(postgres_bin)
    if [[ ! -f $home/data/PG_VERSION ]]; then
        mkdir -p "$home"
        ((EUID != 0)) || chown "$POSTGRES_USER:" "$home"
        # Left behind by an initdb that was interrupted.
        rm -rf "$home/data" "$home/data.part"
        (cd / && as_postgres "$bin/initdb" -D "$home/data.part" -U postgres --auth=trust --encoding=UTF8 --locale=C \
            --no-sync >"$DIR/log/postgres.out" 2>&1) || return 1
        echo "include = '../godwit.conf'" >>"$home/data.part/postgresql.conf"
        mv "$home/data.part" "$home/data"
    fi
    postgres_write_conf "$home"
}

postgres_run() {
    local home
    home=$(postgres_home)
    if ((EUID == 0)); then
        spawn postgres setpriv --reuid="$POSTGRES_USER" --regid="$POSTGRES_USER" --init-groups -- \
            "$(postgres_bin)/postgres" -D "$home/data"
    else
        spawn postgres "$(postgres_bin)/postgres" -D "$home/data"
    fi
}

postgres_psql() { # USER DATABASE ARGUMENT...
    local user=$1 database=$2
    shift 2
    PGCONNECT_TIMEOUT=5 psql -h 127.0.0.1 -p "$POSTGRES_PORT" -U "$user" -d "$database" -XqAt -v ON_ERROR_STOP=1 "$@"
}

postgres_ready() { postgres_psql postgres postgres -c 'SELECT 1' >/dev/null 2>&1; }

postgres_serves() { # ROLE AND DATABASE
    postgres_psql "$1" "$1" -c 'SELECT 1' >/dev/null 2>&1
}

postgres_finish() {
    postgres_psql postgres postgres <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', n) FROM unnest(ARRAY['godwit', 'registry']) n
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = n) \gexec
SELECT format('CREATE DATABASE %I OWNER %I', n, n) FROM unnest(ARRAY['godwit', 'registry']) n
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = n) \gexec
SQL
}

postgres_stopped() { :; }
