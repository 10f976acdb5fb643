"""
What evolution_ws costs beside its alternatives: ``python -m tests.benchmarks``.

Every client runs in a process of its own, the server is a real socket.io server in
Node, and the rounds of all clients are interleaved. Compare ratios, not times.
"""
