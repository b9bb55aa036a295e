"""Categories by name or path, for imports, which create those that are missing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select

from app.domain.catalogue.category_path import Path, write_path
from app.domain.changes import Changes, differences
from app.domain.people.actor import Actor
from app.domain.text import fold_case, make_slug, with_suffix
from app.extensions import db
from app.models import Category
from app.services.audit import trail


class AmbiguousCategory(ValueError):
    """A name that several categories have; the message has their paths."""

    def __init__(self, paths: Sequence[Path]) -> None:
        names = " and ".join(f"“{write_path(path)}”" for path in paths[:2])
        others = f" and {len(paths) - 2} more" if len(paths) > 2 else ""
        super().__init__(f"There are {names}{others}: give the whole path")


class NewCategory(NamedTuple):
    """A category that does not exist yet; `id` is negative, and `parent_id` may be, too."""

    id: int
    name: str
    parent_id: int | None


@dataclass
class CategoryPaths:
    """The paths of all categories, and of those in `new`, which `create_new` inserts."""

    path_of: dict[int, Path] = field(default_factory=dict)
    ids_by_path: dict[Path, list[int]] = field(default_factory=lambda: defaultdict(list))
    ids_by_name: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    new: list[NewCategory] = field(default_factory=list)

    def find_or_plan(self, path: Path, current: int | None) -> int | None:
        """The id of the category for a path or a lone name; of a new one where none matches.

        Where several match, it is the `current` one if it is among them; of several with the same path,
        the oldest.

        Raises:
            AmbiguousCategory: a lone name that several categories have, in different places.
        """
        if not path:
            return None
        matches = self.matches(path)
        if current in matches:
            return current
        places = {_key(self.path_of[category_id]) for category_id in matches}
        if len(places) > 1:
            raise AmbiguousCategory([self.path_of[category_id] for category_id in matches])
        return matches[0] if matches else self._plan(path)

    def matches(self, path: Path) -> list[int]:
        """The ids of all categories that a path or a lone name may stand for, the oldest first.

        Names compare without case, but with accents: Año is not Ano. A lone name is a root's, else any category's.
        """
        key = _key(path)
        return self.ids_by_path.get(key) or (
            self.ids_by_name.get(key[0], []) if len(key) == 1 else []
        )

    def add(self, category_id: int, path: Path) -> None:
        """Make a category known under its path and under its name."""
        key = _key(path)
        self.path_of[category_id] = path
        self.ids_by_path[key].append(category_id)
        self.ids_by_name[key[-1]].append(category_id)

    def _plan(self, path: Path) -> int:
        parent_id = self.find_or_plan(path[:-1], None)
        category = NewCategory(-len(self.new) - 1, path[-1], parent_id)
        self.new.append(category)
        self.add(category.id, path)
        return category.id


def _key(path: Path) -> Path:
    return tuple(fold_case(name) for name in path)


def load() -> CategoryPaths:
    """All paths of the tree, in one query."""
    tree = CategoryPaths()
    for category_id, path in load_paths().items():
        tree.add(category_id, path)
    return tree


def load_paths() -> dict[int, Path]:
    """The path of each category, the oldest category first."""
    query = select(Category.id, Category.name, Category.parent_id).order_by(Category.id)
    rows = {row.id: row for row in db.session.execute(query)}
    paths: dict[int, Path] = {}
    for category_id, row in rows.items():
        path = [row.name]
        # The second condition ends the loop even if the tree had a ring.
        while row.parent_id is not None and len(path) <= len(rows):
            row = rows[row.parent_id]
            path.insert(0, row.name)
        paths[category_id] = tuple(path)
    return paths


def create_new(actor: Actor, tree: CategoryPaths) -> dict[int, int]:
    """Insert the new categories, parents first, and return their ids by the negative ones."""
    ids: dict[int, int] = {}
    if not tree.new:
        return ids
    changes_of: dict[int | None, Changes] = {}
    slugs = set(db.session.scalars(select(Category.slug)))
    for category in tree.new:
        slug = make_slug(category.name, "category")
        slug = with_suffix(slug) if slug in slugs else slug
        slugs.add(slug)
        parent_id = ids.get(category.parent_id or 0, category.parent_id)
        row = Category(name=category.name, slug=slug, parent_id=parent_id)
        db.session.add(row)
        db.session.flush()
        ids[category.id] = row.id
        changes_of[row.id] = differences({}, trail.category_state(row))
    trail.record_many(actor, "category.created", changes_of)
    return ids
