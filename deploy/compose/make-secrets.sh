#!/bin/sh
# Make the secrets that compose.yaml reads, each once; what is there already is left alone.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

make_secret() {
    [ -s "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"
}

make_secret postgres_password "$(openssl rand -hex 32)"
make_secret database_url "postgresql://gracefuzz:$(cat secrets/postgres_password)@db:5432/gracefuzz"
make_secret ray_token "$(openssl rand -hex 32)"
make_secret prometheus_token "gracefuzz_$(openssl rand -hex 32)"
make_secret admin_token "gracefuzz_$(openssl rand -hex 32)"
make_secret grafana_password "$(openssl rand -hex 32)"
# Containers read them as another user; the folder keeps others of this host out.
chmod 0444 secrets/*
echo "the secrets are in $(pwd)/secrets; the token of the service is in secrets/admin_token"
