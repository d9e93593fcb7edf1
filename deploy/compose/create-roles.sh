#!/bin/sh
# Runs once, in an empty database server: two roles that cannot read each other's data. The
# server's own administrator is left without a password: only who is on the machine gets in as him.
set -eu

psql --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
  --set product="$AGENTFORGE_DB_PASSWORD" --set temporal="$TEMPORAL_DB_PASSWORD" <<'SQL'
create role agentforge login password :'product';
create database agentforge owner agentforge;
revoke connect on database agentforge from public;
create role temporal login password :'temporal';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
revoke connect on database temporal, temporal_visibility from public;
alter role postgres password null;
SQL
