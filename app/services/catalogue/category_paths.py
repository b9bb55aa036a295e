"""Categories by name or path, made when they are missing."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from app.domain.catalogue.category_path import Path
from app.domain.changes import Changes, differences
from app.domain.people.actor import Actor
from app.domain.text import fold, make_slug, with_suffix
from app.extensions import db
from app.models import Category
from app.services.audit import trail


@dataclass
class CategoryPaths:
    """The tree's paths as they are, and those that have been asked for and are not there yet.

    A category that is still to be made has a negative id, until `make_missing` has made it.
    """

    ids: dict[Path, list[int]]
    by_name: dict[str, list[int]]
    written: dict[int, Path]
    to_make: list[tuple[int, str, int | None]] = field(default_factory=list)

    def find_or_plan(self, path: Path, current: int | None) -> int | None:
        """The id of the category that a path or a lone name stands for.

        Names compare without case and accents. A lone name is a root's, else any category's. Where
        several fit, it is the `current` one if it is among them, else the oldest.
        """
        if not path:
            return None
        fitting = self.fitting(path)
        if current in fitting:
            return current
        return fitting[0] if fitting else self._plan(path)

    def fitting(self, path: Path) -> list[int]:
        """The ids of all categories that a path or a lone name may stand for, the oldest first."""
        key = tuple(fold(name) for name in path)
        return self.ids.get(key) or (self.by_name.get(key[0]) if len(key) == 1 else None) or []

    def _plan(self, path: Path) -> int:
        key = tuple(fold(name) for name in path)
        parent = self.find_or_plan(path[:-1], None) if len(path) > 1 else None
        new_id = -len(self.to_make) - 1
        self.to_make.append((new_id, path[-1], parent))
        self.ids[key] = [new_id]
        self.by_name.setdefault(key[-1], []).append(new_id)
        self.written[new_id] = path
        return new_id


def load() -> CategoryPaths:
    """All paths of the tree, in one query."""
    rows = db.session.execute(
        select(Category.id, Category.name, Category.parent_id).order_by(Category.id)
    )
    names = {row.id: (row.name, row.parent_id) for row in rows}
    ids, by_name = defaultdict(list), defaultdict(list)
    written = paths(names)
    for category_id, path in written.items():
        key = tuple(fold(name) for name in path)
        ids[key].append(category_id)
        by_name[key[-1]].append(category_id)
    return CategoryPaths(dict(ids), dict(by_name), written)


def paths(names: Mapping[int, tuple[str, int | None]]) -> dict[int, Path]:
    """Each category's path, from its name and parent, in the order given."""
    found: dict[int, Path] = {}
    for category_id in names:
        name, parent = names[category_id]
        path = [name]
        while parent is not None and len(path) <= len(names):
            name, parent = names[parent]
            path.insert(0, name)
        found[category_id] = tuple(path)
    return found


def make_missing(actor: Actor, tree: CategoryPaths) -> dict[int, int]:
    """Insert the categories that were planned, parents first: their ids by the negative ones."""
    made: dict[int, int] = {}
    if not tree.to_make:
        return made
    rows = []
    taken = set(db.session.scalars(select(Category.slug)))
    for planned, name, parent in tree.to_make:
        slug = make_slug(name, "category")
        slug = with_suffix(slug) if slug in taken else slug
        taken.add(slug)
        row = Category(name=name, slug=slug, parent_id=made.get(parent or 0, parent))
        db.session.add(row)
        db.session.flush()
        made[planned] = row.id
        rows.append(row)
    changes_of: dict[int | None, Changes] = {
        row.id: differences({}, trail.category_state(row)) for row in rows
    }
    trail.record_many(actor, "category.created", changes_of)
    return made
