#!/bin/sh
# Brings the tables of Temporal's server up to date; run again with a newer image, it upgrades them.
set -eu

for store in temporal:temporal temporal_visibility:visibility; do
  database=${store%:*}
  schema=/etc/temporal/schema/postgresql/v12/${store#*:}/versioned
  sql() { temporal-sql-tool --database "$database" "$@"; }
  sql setup-schema --version 0.0
  sql update-schema --schema-dir "$schema"
done
