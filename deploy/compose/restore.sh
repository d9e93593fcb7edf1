#!/bin/sh
# Puts a backup of backup.sh into a database server in which create-roles.sh has just run, before
# anything else is started; what is in the databases already is replaced:
#   docker compose up --detach db && deploy/compose/restore.sh backups/2026-11-24
# With RESTORE set, that is run instead of pg_restore in the container of docker-compose.yml.
set -eu

folder=${1:?name the folder of the backup}
: "${RESTORE:=docker compose exec -T db pg_restore --username postgres}"

for database in temporal temporal_visibility agentforge; do
  test -s "$folder/$database.dump"
done
for database in temporal temporal_visibility agentforge; do
  $RESTORE --exit-on-error --single-transaction --clean --if-exists --dbname "$database" \
    <"$folder/$database.dump"
done
