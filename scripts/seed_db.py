"""Fill the shop with demo data: the same as `flask seed-db`, with the same options.

.venv/bin/python scripts/seed_db.py [--products N] [--orders N] [--reset --yes]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from manage import app

if __name__ == "__main__":
    with app.app_context():
        app.cli.main(args=["seed-db", *sys.argv[1:]], prog_name="seed_db.py")
