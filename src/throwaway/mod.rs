//! A throw-away Postgres server, for the demo and the tests.
