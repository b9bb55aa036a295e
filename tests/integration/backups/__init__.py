"""Backups: how they are written, signed, restored and tried."""
