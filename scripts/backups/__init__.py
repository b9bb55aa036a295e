"""How backups are written and restored; scripts/backup.py and scripts/restore.py are the commands."""
