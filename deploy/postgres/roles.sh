#!/bin/sh
# Create the two PostgreSQL roles of the shop: `shop_owner` owns the database and runs the migrations,
# `shop_app` is the shop's own, and neither is a superuser. See "Two roles" in DEPLOYMENT.md.
#
# The postgres image runs this when it makes its volume. On a volume from an earlier release run it once:
#
#   docker compose exec postgres /docker-entrypoint-initdb.d/roles.sh
#
# Needs POSTGRES_USER (a superuser), POSTGRES_DB, DATABASE_OWNER_PASSWORD and DATABASE_PASSWORD. It can be
# run again: it sets the passwords anew. `flask db upgrade` then grants shop_app what it needs.
set -eu

: "${DATABASE_OWNER_PASSWORD:?}" "${DATABASE_PASSWORD:?}"

psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --no-psqlrc --quiet --no-password \
    --output /dev/null --set ON_ERROR_STOP=1 <<'SQL'
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv password DATABASE_PASSWORD
BEGIN;
SET LOCAL lock_timeout = '5s';

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['shop_owner', 'shop_app']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE shop_owner PASSWORD :'owner_password';
ALTER ROLE shop_app PASSWORD :'password';
SELECT format('ALTER DATABASE %I OWNER TO shop_owner', current_database()) \gexec

-- What an earlier release made as a superuser. What belongs to an extension stays as it is; sequences go
-- with their tables.
SELECT format('ALTER TABLE %s OWNER TO shop_owner', oid::regclass)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
\gexec
SELECT format('ALTER ROUTINE %s OWNER TO shop_owner', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
\gexec

-- Enough for a release to look at the database before it migrates, which grants what else is needed.
SELECT format('GRANT %s ON %s TO shop_app',
    CASE WHEN relname = 'alembic_version' THEN 'SELECT'
         WHEN relname IN ('audit_events', 'stock_movements') THEN 'SELECT, INSERT'
         ELSE 'SELECT, INSERT, UPDATE, DELETE' END, oid::regclass)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
\gexec
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO shop_app;
COMMIT;
SQL
