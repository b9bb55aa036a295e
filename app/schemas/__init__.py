"""The JSON that comes in and goes out; no queries here."""
