"""Puts a mutant into the running process: whoever holds a function of the module runs the fault."""

import ast
import gc
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutation.operators import Mutation

CodeKey = tuple[str, int, int]
GENERATED = {"__init__", "__repr__", "__eq__"}
"""What `dataclass` makes of a class's fields."""


class NotPlantedError(Exception):
    """The mutant cannot be put into the process as it runs."""


class Planter:
    """Plants mutants of one module, in a fork: nothing takes them out again.

    A function gets the code of the mutant, so that every reference to it, however old, runs the
    fault. A mutant outside of functions is planted by running the module again in its namespace;
    other modules that hold what it replaced are given the new object.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self._path = str(module.__file__)
        self.source = Path(self._path).read_text(encoding="utf-8")
        self._functions: dict[CodeType, list[FunctionType]] = defaultdict(list)
        gc.unfreeze()  # what is frozen is not among the objects
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename == self._path:
                self._functions[thing.__code__].append(thing)
        gc.collect()
        gc.freeze()  # or each fork would copy what its collections look through

    def plant(self, mutation: Mutation, is_deep: bool) -> None:
        """Plant a mutant; `is_deep` where it is executed as the module is imported.

        Raises:
            NotPlantedError
        """
        self._plant(mutation.tree(), is_deep)

    def plant_original(self) -> None:
        """Run the module again as it is: no test may see a difference."""
        self._plant(ast.parse(self.source), is_deep=True)

    def _plant(self, tree: ast.Module, is_deep: bool) -> None:
        before = _codes(compile(self.source, self._path, "exec", dont_inherit=True))
        code = compile(tree, self._path, "exec", dont_inherit=True)
        after = _codes(code)
        held = dict(vars(self.module))
        if is_deep:
            exec(code, vars(self.module))  # noqa: S102 - the module itself, with one fault
        self._replace_codes(before, after)
        if is_deep:
            self._restore(held)

    def _replace_codes(
        self, before: Mapping[CodeKey, CodeType], after: Mapping[CodeKey, CodeType]
    ) -> None:
        for key, old in before.items():
            new = after.get(key)
            for function in self._functions.get(old, ()) if new and new != old else ():
                if len(new.co_freevars) != len(old.co_freevars):
                    raise NotPlantedError(f"{function.__qualname__} closes over other names")
                function.__code__ = new

    def _restore(self, held: Mapping[str, object]) -> None:
        """Keep the functions and classes that others know, with what is new about them, and tell
        others of everything else that is new."""
        names = vars(self.module)
        for name, old in held.items():
            new = names.get(name)
            if new is old or name.startswith("__"):
                continue
            if isinstance(old, FunctionType) and isinstance(new, FunctionType):
                old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
                names[name] = old
            elif isinstance(old, type) and isinstance(new, type):
                _update_class(old, new)
                names[name] = old
            elif not _is_equal(old, new):
                _tell_others(name, old, new)


def _update_class(old: type, new: type) -> None:
    for name, value in list(vars(new).items()):
        former = vars(old).get(name)
        if name in GENERATED and _is_generated(value):
            setattr(old, name, value)
        elif isinstance(value, FunctionType) and isinstance(former, FunctionType):
            former.__defaults__, former.__kwdefaults__ = value.__defaults__, value.__kwdefaults__
        elif _is_plain(value) and value != former and not name.startswith("__"):
            setattr(old, name, value)


def _is_generated(value: object) -> bool:
    # One that is written in the module may call `super()`, which knows the class it was written in.
    return isinstance(value, FunctionType) and value.__code__.co_filename == "<string>"


def _is_plain(value: object) -> bool:
    return isinstance(value, int | str | float | bytes | tuple | frozenset)


def _is_equal(old: object, new: object) -> bool:
    return _is_plain(old) and _is_plain(new) and old == new


def _tell_others(name: str, old: object, new: object) -> None:
    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None)
        if space and module.__name__.split(".")[0] in {"app", "tests"} and space.get(name) is old:
            space[name] = new


def _codes(code: CodeType) -> dict[CodeKey, CodeType]:
    """The codes of all functions of a module, by name, line, and how many of that name came before
    in the line."""
    found: dict[CodeKey, CodeType] = {}
    for one in _nested(code):
        name, line, ordinal = one.co_name, one.co_firstlineno, 0
        while (name, line, ordinal) in found:
            ordinal += 1
        found[name, line, ordinal] = one
    return found


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)
