#!/bin/sh
# Adds to .env the secrets that docker-compose.yml asks for and that are missing there. What is set
# stays as it is; run it before the first start, and after an upgrade:
#   deploy/compose/secrets.sh
set -eu

file=${1:-.env}
umask 077
touch "$file"
chmod go= "$file"
# a last line without an end would swallow the first that is added
if [ -n "$(tail -c 1 "$file")" ]; then echo >>"$file"; fi

value_of() { sed -n "s/^$1=//p" "$file" | tail -n 1 | tr -d "\"' "; }
add() {
  if [ -z "$(value_of "$1")" ]; then
    printf '%s=%s\n' "$1" "$2" >>"$file"
    echo "$1 added to $file"
  fi
}

add SECRET_KEY "$(openssl rand -hex 32)"
add ENCRYPTION_KEY "$(openssl rand -base64 32)"
add AUDIT_SIGNING_KEY "$(openssl rand -base64 32)"
add POSTGRES_PASSWORD "$(openssl rand -hex 24)"
add TEMPORAL_POSTGRES_PASSWORD "$(openssl rand -hex 24)"
add REDIS_PASSWORD "$(openssl rand -hex 24)"
add COLLECTOR_REDIS_PASSWORD "$(openssl rand -hex 24)"
add COLLECTOR_SECRET "$(openssl rand -hex 32)"

# the public half of the signing key: RFC 8410 puts 16 bytes before the 32 of the private key
public_key() {
  {
    printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'
    value_of AUDIT_SIGNING_KEY | tr -- '-_' '+/' | openssl base64 -d -A
  } | openssl pkey -inform DER -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n'
}
add AUDIT_PUBLIC_KEY "$(public_key)"
