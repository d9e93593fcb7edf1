#!/bin/sh
# Writes one file per database into a folder, each from one moment, while everything runs:
#   deploy/compose/backup.sh backups/2026-11-24
# With DUMP set, that is run instead of pg_dump in the container of docker-compose.yml.
set -eu

folder=${1:?name a folder for the backup}
: "${DUMP:=docker compose exec -T db pg_dump --username postgres}"

# Temporal's first: steps that it does not know of yet are repeated, and find what the product has
# stored. The other way round it would rely on what was never stored.
umask 077
mkdir -p "$folder"
for database in temporal temporal_visibility agentforge; do
  # renamed when whole: what is there under its name is a backup
  $DUMP --format custom --dbname "$database" >"$folder/$database.part"
  mv "$folder/$database.part" "$folder/$database.dump"
done
