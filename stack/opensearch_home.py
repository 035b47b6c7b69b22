"""Recipes of OpenSearch homes: the server's jars, modules and plugins, put together from published artifacts.

There is no published archive of the whole server to be had from a package registry, so one home is:
launcher/ (one class of our own), lib/ (the server's jars), modules/NAME/ and plugins/NAME/.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from stack import versions
from stack.cache import Recipe, Workshop
from stack.toolchain import MAVEN, Tool, javac

TEMPLATES = Path(__file__).parent / "opensearch"
SERVER, PLUGIN = "org.opensearch", "org.opensearch.plugin"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A published artifact. `alone` leaves out what it depends on."""

    group: str
    name: str
    version: str
    kind: str = "jar"
    alone: bool = False

    def xml(self) -> str:
        """Return the artifact as a POM's dependency."""
        everything = "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
        exclusions = f"<exclusions>{everything}</exclusions>" if self.alone else ""
        return (
            f"    <dependency><groupId>{self.group}</groupId><artifactId>{self.name}</artifactId>"
            f"<version>{self.version}</version><type>{self.kind}</type>{exclusions}</dependency>"
        )


@dataclass(frozen=True, slots=True)
class Distribution:
    """What one release is made of.

    `modules` maps a module to its plugin class, which the published jar does not name. `additions` are jars
    that a plugin expects of another one that is not installed.
    """

    version: str
    modules: Mapping[str, str]
    plugins: tuple[str, ...]
    additions: Mapping[str, Artifact] = field(default_factory=dict)

    def folders(self) -> dict[str, list[Artifact]]:
        """Return the artifacts to resolve, by the folder of the home that they end in."""
        server = [
            Artifact(SERVER, "opensearch", self.version),
            Artifact(SERVER, "opensearch-plugin-classloader", self.version),
            Artifact("org.apache.logging.log4j", "log4j-core", versions.LOG4J[self.version]),
        ]
        folders = {"lib": server}
        for module in self.modules:
            folders[f"modules/{module}"] = [Artifact(PLUGIN, module, self.version)]
        for plugin in self.plugins:
            folders[f"plugins/{plugin}"] = [
                Artifact(PLUGIN, plugin, f"{self.version}.0", kind="zip", alone=True)
            ]
            if plugin in self.additions:
                folders[f"plugins/{plugin}"].append(self.additions[plugin])
        return folders


DISTRIBUTIONS: Mapping[str, Distribution] = {
    versions.OPENSEARCH_3: Distribution(
        versions.OPENSEARCH_3,
        modules={
            "transport-netty4-client": "org.opensearch.transport.Netty4ModulePlugin",
            "lang-painless": "org.opensearch.painless.PainlessModulePlugin",
            "reindex-client": "org.opensearch.index.reindex.ReindexModulePlugin",
            "analysis-common": "org.opensearch.analysis.common.CommonAnalysisModulePlugin",
            "transport-grpc": "org.opensearch.transport.grpc.GrpcPlugin",  # neural-search extends it
        },
        plugins=("opensearch-job-scheduler", "opensearch-ml-plugin", "opensearch-knn", "neural-search"),
        # The Security plugin brings it otherwise. Without it a connector with a credential throws
        # NoClassDefFoundError inside the server, and the request is never answered.
        additions={"opensearch-ml-plugin": Artifact("org.bouncycastle", "bcprov-jdk18on", versions.BCPROV)},
    ),
    versions.OPENSEARCH_2: Distribution(
        versions.OPENSEARCH_2,
        modules={
            "transport-netty4-client": "org.opensearch.transport.Netty4Plugin",
            "lang-painless": "org.opensearch.painless.PainlessPlugin",
            "reindex-client": "org.opensearch.index.reindex.ReindexPlugin",
            "analysis-common": "org.opensearch.analysis.common.CommonAnalysisPlugin",
        },
        plugins=("opensearch-job-scheduler", "opensearch-ml-plugin", "opensearch-security"),
    ),
}


def opensearch_home(version: str) -> Recipe:
    """Return the recipe of a release's home. Raises KeyError for a release that is not in DISTRIBUTIONS."""
    distribution = DISTRIBUTIONS[version]
    compiler = javac(versions.JAVA[version])
    launcher = TEMPLATES / "Launcher.java"
    inputs = "\n".join([repr(distribution), Path(__file__).read_text(), launcher.read_text()])

    def build(workshop: Workshop) -> None:
        _resolve(distribution, workshop)
        lib = workshop.folder / "lib"
        in_lib = {jar.name for jar in lib.iterdir()}
        for module, class_name in distribution.modules.items():
            folder = workshop.folder / "modules" / module
            for jar in folder.iterdir():
                if jar.name in in_lib:  # the module's class loader asks the server's first
                    jar.unlink()
            descriptor = _descriptor(module, class_name, version)
            (folder / "plugin-descriptor.properties").write_text(descriptor)
        for plugin in distribution.plugins:
            _unpack(workshop.folder / "plugins" / plugin)
        _compile(launcher, compiler, workshop)

    effort = "about 1 minute and 450 MB to download"
    return Recipe("opensearch", version, inputs, effort, (MAVEN, compiler), build)


def _resolve(distribution: Distribution, workshop: Workshop) -> None:
    """Fill every folder of the home by one run of Maven: one small project for each folder."""
    folders = distribution.folders()
    reactor = Template((TEMPLATES / "reactor.pom.xml").read_text())
    project = Template((TEMPLATES / "folder.pom.xml").read_text())
    modules = "\n".join(f"    <module>{folder}</module>" for folder in folders)
    (workshop.scratch / "pom.xml").write_text(reactor.substitute(modules=modules))
    for folder, artifacts in folders.items():
        (workshop.scratch / folder).mkdir(parents=True)
        (workshop.folder / folder).mkdir(parents=True)
        dependencies = "\n".join(artifact.xml() for artifact in artifacts)
        pom = project.substitute(name=folder.replace("/", "-"), dependencies=dependencies)
        (workshop.scratch / folder / "pom.xml").write_text(pom)
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{versions.MAVEN_DEPENDENCY_PLUGIN}"
    goal = [f"{plugin}:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
    workshop.run(
        [workshop.tools[MAVEN], "--batch-mode", "--no-transfer-progress", *goal], workshop.scratch, {}
    )
    for folder in folders:
        for jar in (workshop.scratch / folder / "jars").iterdir():
            shutil.move(jar, workshop.folder / folder / jar.name)


def _unpack(folder: Path) -> None:
    for archive in folder.glob("*.zip"):
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if not name.startswith("onnxruntime_gpu-"):  # 300 MB for models that run on a local GPU
                    content.extract(name, folder)
        archive.unlink()


def _descriptor(name: str, class_name: str, version: str) -> str:
    return (
        f"description={name}\nname={name}\nversion={version}\nopensearch.version={version}\n"
        f"java.version=11\nclassname={class_name}\n"
    )


def _compile(launcher: Path, compiler: Tool, workshop: Workshop) -> None:
    classes, lib = workshop.folder / "launcher", workshop.folder / "lib"
    workshop.run([workshop.tools[compiler], "-cp", f"{lib}/*", "-d", classes, launcher], workshop.scratch, {})
