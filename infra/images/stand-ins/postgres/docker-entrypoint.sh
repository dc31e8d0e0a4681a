#!/bin/bash
# First start only: a database cluster whose superuser and database are those of POSTGRES_USER, POSTGRES_PASSWORD
# (or the file POSTGRES_PASSWORD_FILE) and POSTGRES_DB, reached from elsewhere by password alone. Then the command itself.
set -euo pipefail
user=${POSTGRES_USER:-postgres}
[ -z "${POSTGRES_PASSWORD_FILE:-}" ] || POSTGRES_PASSWORD=$(< "$POSTGRES_PASSWORD_FILE")

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$user" --pwfile=<(echo "${POSTGRES_PASSWORD:?must be set}") \
    --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  # Single-user: no server that listens to anyone before its database is there.
  echo "CREATE DATABASE \"${POSTGRES_DB:-$user}\"" | postgres --single -j postgres >/dev/null
fi
[ "$1" != postgres ] || set -- "$@" -c listen_addresses='*'
exec "$@"
