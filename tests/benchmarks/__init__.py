"""
What a call costs, compared with other ways to send the same event: `python -m tests.benchmarks`.

- `server`: a fast server in a process of its own
- `candidates`: the libraries that are compared, each with a function that sends the event
- `layers`: one call, made at each layer of the SDK
- `fresh`: measurements in a new process: import and first call, memory
- `measure`: measurements in alternating rounds, medians, threads
- `report`: Markdown
"""
