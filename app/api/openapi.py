"""What every operation's description gets: a name for generated clients, and its path explained."""

from typing import Any

from apispec import BasePlugin
from werkzeug.routing import Rule

PATH_PARAMETERS = {
    "product": "Id or slug.",
    "category": "Id or slug.",
    "order": "Id or number.",
}


class NamesAndPaths(BasePlugin):
    """An `operationId` for each operation, and a description for each part of a path."""

    def path_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        parameters: list[dict[str, Any]] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Say what may stand in the path."""
        for parameter in parameters or []:
            if parameter["in"] == "path":
                parameter.setdefault("description", PATH_PARAMETERS.get(parameter["name"], "Id."))

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Name the operations after their view; PUT, which means PATCH, apart from it."""
        rule: Rule = kwargs["rule"]
        for method, operation in (operations or {}).items():
            alias = method == "put" and "patch" in (operations or {})
            operation["operationId"] = rule.endpoint + (".put" if alias else "")
