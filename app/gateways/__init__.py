"""Access to what is outside the process and the database: a protocol, and its implementations."""
