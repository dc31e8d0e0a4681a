-- Who may do what with the ledger. Run at each start of the database (compose.yaml), so it may find everything done.
\set ON_ERROR_STOP 1
\set owner `cat /run/secrets/ledger-owner`
\set runtime `cat /run/secrets/ledger-runtime`
\set prove `cat /run/secrets/ledger-prove`
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', wanted) FROM unnest(ARRAY['coffee', 'coffee_runtime', 'coffee_prove']) AS wanted
WHERE wanted NOT IN (SELECT rolname FROM pg_roles) \gexec
ALTER ROLE coffee PASSWORD :'owner';
ALTER ROLE coffee_runtime PASSWORD :'runtime';
ALTER ROLE coffee_prove PASSWORD :'prove';
-- The owner makes the tables and drops generations (ops/ledger.ts); consumers record; a proof only reads.
REVOKE ALL ON DATABASE coffee FROM PUBLIC;
GRANT CONNECT ON DATABASE coffee TO coffee, coffee_runtime, coffee_prove;
-- To lay its steps beside the tables and compare (src/ledger/migrations.ts).
GRANT CREATE, TEMPORARY ON DATABASE coffee TO coffee;
GRANT TEMPORARY ON DATABASE coffee TO coffee_runtime;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO coffee;
ALTER DEFAULT PRIVILEGES FOR ROLE coffee GRANT SELECT, INSERT, UPDATE ON TABLES TO coffee_runtime;
ALTER DEFAULT PRIVILEGES FOR ROLE coffee GRANT SELECT ON TABLES TO coffee_prove;
COMMIT;
