"""Real servers for the demo, the tests and the benchmarks, built and started from package registries alone.

`python -m stack` starts them and stays up; code uses `stack.local.start_stack`; tests use `stack.fixtures`.

| module | what it holds |
| --- | --- |
| versions | every version, in one place |
| toolchain, cache | the tools that builds need; what was built, kept outside the tree |
| go_binaries, opensearch_home | how etcd, Kubernetes, Helm and OpenSearch homes are built |
| process, guard, server, ports | child processes that never outlive their owner, and ports that stay ours |
| controlplane, opensearch_node, modelserver | how each server is started, and what tests may do with it |
| local | all of them together |
"""
