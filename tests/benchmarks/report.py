"""The results: human-readable in Markdown, machine-readable in pyperf's JSON."""

from collections.abc import Sequence

import pyperf


class Report:
    """Prints tables, and keeps values for `python -m pyperf`, which compares and draws them."""

    def __init__(self) -> None:
        self._kept: list[pyperf.Benchmark] = []

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table in Markdown; all columns except the first contain numbers."""
        rule = ["---", *["--:"] * (len(head) - 1)]
        for cells in (head, rule, *rows):
            print(f"| {' | '.join(cells)} |")
        print(flush=True)

    def keep(self, name: str, values: Sequence[float], unit: str = "second") -> None:
        """Keep values, all above 0; pyperf has `second`, `byte` and `integer`."""
        metadata = {"name": name.replace("`", ""), "unit": unit}
        self._kept.append(pyperf.Benchmark([pyperf.Run(values, metadata=metadata)]))

    def write(self, path: str) -> None:
        """Write the kept values to a file."""
        pyperf.BenchmarkSuite(self._kept).dump(path, replace=True)
