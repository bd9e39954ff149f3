#!/bin/sh
# Run once by the PostgreSQL image when its volume is new: one role and one database each for Synapse and Muster.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
     --set=synapse="$SYNAPSE_DATABASE_PASSWORD" --set=muster="$MUSTER_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE synapse LOGIN PASSWORD :'synapse';
CREATE DATABASE synapse OWNER synapse TEMPLATE template0;
CREATE ROLE muster LOGIN PASSWORD :'muster';
CREATE DATABASE muster OWNER muster TEMPLATE template0;
SQL
