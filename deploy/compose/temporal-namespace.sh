#!/bin/sh
# The namespace of the product; closed histories are kept for 30 days.
set -eu

if temporal operator namespace describe --namespace default >/dev/null 2>&1; then
  temporal operator namespace update --namespace default --retention 720h
else
  temporal operator namespace create --namespace default --retention 720h
fi
