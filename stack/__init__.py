"""Real servers for the demo, the tests and the benchmarks, built and started from package registries alone.

`python -m stack` starts them and stays up; code uses `stack.local.start_stack`.
"""
