"""A real node, with pods, for what a control plane alone can not show: the image, probes, restarts, memory.

`python -m stack --node` starts one with the stack's servers; tests use the fixtures of tests/node.

| module | what it holds |
| --- | --- |
| needs | the programs and rights of the machine that a node takes |
| box, init | the namespaces that the node lives in, and their first process |
| runtime, kubelet | containerd, the kubelet, kube-proxy and the scheduler |
| base_images, images | images without a registry |
| node | all of it together |
"""
