#!/bin/sh
# Serves Redis with the users of deploy/redis/users.acl. It gets the hashes of their passwords.
set -eu

: "${USERS:=/etc/agentforge/users.acl}" "${DATA:=/data}"
umask 077
hash() { printf %s "$1" | sha256sum | cut -c 1-64; }
sed -e "s/AGENTFORGE_PASSWORD_SHA256/$(hash "$REDIS_PASSWORD")/" \
  -e "s/COLLECTOR_PASSWORD_SHA256/$(hash "$COLLECTOR_REDIS_PASSWORD")/" \
  "$USERS" >"$DATA/users.acl"
unset REDIS_PASSWORD COLLECTOR_REDIS_PASSWORD
exec redis-server --aclfile "$DATA/users.acl" --dir "$DATA" --save '' --appendonly no "$@"
