#!/bin/sh
# Run once by the PostgreSQL image when its volume is new: a database each for Synapse and Muster, and their roles.
# Muster has two: the owner of its tables, and the running service, which can only add to the ledger.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
     --set=synapse="$SYNAPSE_DATABASE_PASSWORD" --set=muster="$MUSTER_DATABASE_PASSWORD" \
     --set=owner="$MUSTER_OWNER_PASSWORD" <<'SQL'
CREATE ROLE synapse LOGIN PASSWORD :'synapse';
CREATE DATABASE synapse OWNER synapse TEMPLATE template0;
CREATE ROLE muster LOGIN PASSWORD :'owner';
CREATE ROLE muster_service LOGIN PASSWORD :'muster';
CREATE DATABASE muster OWNER muster TEMPLATE template0;
SQL
