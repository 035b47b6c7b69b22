"""Recipes of the servers and commands that are built from Go modules."""

from __future__ import annotations

from pathlib import Path

from stack import versions
from stack.cache import Recipe, Workshop
from stack.toolchain import GO

MODULES = Path(__file__).parent / "go"


def go_recipe(name: str, version: str, *, effort: str, variables: dict[str, str], tags: str = "") -> Recipe:
    """Return the recipe of the module stack/go/NAME: the programs of its `tool` lines, in the entry's folder.

    `variables` are Go string variables set by the linker: how these programs learn their own version. `tags`
    are Go's build tags.
    """
    module = MODULES / name
    flags = " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in variables.items())])
    sources = [module / "go.mod", module / "go.sum", *sorted(module.glob("*.go"))]
    inputs = "\n".join([*(source.read_text() for source in sources), flags, tags])

    def build(workshop: Workshop) -> None:
        command: list[str | Path] = [
            workshop.tools[GO],
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-mod=readonly",
            "-ldflags",
            flags,
            *(["-tags", tags] if tags else []),
        ]
        for package in tool_packages((module / "go.mod").read_text()):
            program = workshop.folder / program_name(package)
            workshop.run(
                [*command, "-o", program, package],
                module,
                {"CGO_ENABLED": "0", "GOTMPDIR": str(workshop.scratch)},
            )

    return Recipe(name, version, inputs, effort, (GO,), build)


def tool_packages(go_mod: str) -> list[str]:
    """Return the packages that a go.mod names as tools."""
    packages: list[str] = []
    in_block = False
    for line in go_mod.splitlines():
        words = line.split()
        if words == ["tool", "("]:
            in_block = True
        elif words == [")"]:
            in_block = False
        elif words and (in_block or words[0] == "tool"):
            packages.append(words[-1])
    return packages


def program_name(package: str) -> str:
    """Return the file name of a package's program; etcd's package is the root of its module, `server/v3`."""
    return "etcd" if package.startswith("go.etcd.io/") else package.rsplit("/", 1)[-1]


def etcd() -> Recipe:
    """Return the recipe of etcd."""
    return go_recipe("etcd", versions.ETCD, effort="under a minute", variables={})


def kubernetes() -> Recipe:
    """Return the recipe of kube-apiserver and kube-controller-manager."""
    return go_recipe("kubernetes", versions.KUBERNETES, effort="about 6 minutes", variables=_kubernetes())


def node() -> Recipe:
    """Return the recipe of kubelet, kube-proxy and kube-scheduler."""
    effort = "about a minute, after those of the control plane"
    return go_recipe("node", versions.KUBERNETES, effort=effort, variables=_kubernetes())


def coredns() -> Recipe:
    """Return the recipe of CoreDNS, with the plugins that stack/go/coredns/main.go names."""
    return go_recipe("coredns", versions.COREDNS, effort="about 2 minutes", variables={})


def _kubernetes() -> dict[str, str]:
    """Return the variables of the version, without which both kubectl and Helm refuse the server."""
    major, minor, _ = versions.KUBERNETES.split(".")
    prefix = "k8s.io/component-base/version.git"
    return {f"{prefix}Version": f"v{versions.KUBERNETES}", f"{prefix}Major": major, f"{prefix}Minor": minor}


def helm() -> Recipe:
    """Return the recipe of the Helm command."""
    variables = {"helm.sh/helm/v4/internal/version.version": f"v{versions.HELM}"}
    return go_recipe("helm", versions.HELM, effort="about 3 minutes", variables=variables)


def prometheus() -> Recipe:
    """Return the recipe of Prometheus and promtool, without service discoveries: half of the time."""
    variables = {"github.com/prometheus/common/version.Version": versions.PROMETHEUS}
    return go_recipe(
        "prometheus",
        versions.PROMETHEUS,
        effort="about 3 minutes",
        variables=variables,
        tags="remove_all_sd",
    )
