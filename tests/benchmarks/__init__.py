"""
What a call costs, beside what else one would write: `python -m tests.benchmarks`.

- `server`: answers fast, in a process of its own
- `candidates`: the same event, sent in different ways
- `layers`: one call of the SDK, cut off at each layer below
- `fresh`: what is measured in a new process: import and first call, memory
- `measure`: rounds in turn, medians, threads
- `report`: Markdown
"""
