"""Reads the shop's figures as Prometheus does."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str, name: str = "") -> Figures:
    """Each sample of a report, by its name and labels; only those whose names begin with `name`."""
    if name:  # most of the time goes into reading the others
        text = "".join(line for line in text.splitlines(keepends=True) if line.startswith(name))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(figures: Figures, name: str, **labels: Any) -> float:
    """The sum of a figure's samples that have these labels; 0 where there is none yet."""
    wanted = {(label, str(value)) for label, value in labels.items()}
    return sum(
        value for (found, has), value in figures.items() if found == name and wanted <= {*has}
    )
