#!/usr/bin/env python3
"""Put a backup in place of the shop's database and pictures, migrate it, and audit it.

scripts/restore BACKUP [--yes]
scripts/restore FOLDER --drill

BACKUP is a folder that scripts/backup has made. Its signature and every checksum are verified first.
DATABASE_OWNER_URL (without it DATABASE_URL) names where it goes: a database of the same kind, which
must not hold a shop already unless --yes says that it may be lost. It is put in place whole or not
at all. Restart the servers afterwards.

With --drill the newest backup of FOLDER is restored into a scratch database and a scratch folder,
audited, and dropped. The shop's own database and pictures are not touched.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from backups import drill, manifests, restoring
from backups.failure import reported
from backups.shop import own_shop


def main() -> None:
    """Restore, and tell what was put in place; or try it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("backup", type=Path)
    parser.add_argument("--yes", action="store_true", help="replace the shop that is there")
    parser.add_argument("--drill", action="store_true", help="only try the newest backup")
    options = parser.parse_args()
    with reported("restore"):
        if options.drill:
            print(f"restore: {drill.run(own_shop(), options.backup)}")
            return
        shop = own_shop()
        manifest = manifests.read(options.backup, shop.settings.backup_keys())
        copied = restoring.restore(options.backup, manifest, shop, may_replace=options.yes)
        print(
            f"restore: {options.backup}: in place as of {manifest.made_at},"
            f" {copied} files of pictures."
        )


if __name__ == "__main__":
    main()
