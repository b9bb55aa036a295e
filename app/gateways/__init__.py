"""What lies outside the program's own memory and database: a protocol, and what keeps it."""
