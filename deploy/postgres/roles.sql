-- Run once as superuser. Then set the passwords: ALTER ROLE lethe_owner PASSWORD '…';
-- The owner migrates and expires; the app role serves; the stream role reads what pipelines read.
-- What app and stream may do to which table is given by the migrations.
CREATE ROLE lethe_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE lethe_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE lethe_stream LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE lethe OWNER lethe_owner;
REVOKE ALL ON DATABASE lethe FROM PUBLIC;
GRANT CONNECT ON DATABASE lethe TO lethe_app, lethe_stream;
\connect lethe
ALTER SCHEMA public OWNER TO lethe_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
