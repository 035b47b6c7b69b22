"""Every version of the local stack, in one place.

The Go modules repeat theirs in stack/go/*/go.mod, where Go needs them; a test keeps the two equal.
"""

from __future__ import annotations

from typing import Final

ETCD: Final = "3.6.8"
KUBERNETES: Final = "1.36.3"
HELM: Final = "4.3.1"
COREDNS: Final = "1.15.0"
# With promtool, which checks the alerts. As a Go module version 3.16.0 is v0.316.0.
PROMETHEUS: Final = "3.16.0"

# The two releases whose ML Commons plugin is published as an artifact; Security is for 2.19.1 alone.
OPENSEARCH_3: Final = "3.6.0"
OPENSEARCH_2: Final = "2.19.1"
OPENSEARCH: Final = (OPENSEARCH_3, OPENSEARCH_2)

# The server's own POM names log4j-api only; log4j-core must be of the same release.
LOG4J: Final = {OPENSEARCH_3: "2.25.3", OPENSEARCH_2: "2.21.0"}
BCPROV: Final = "1.78.1"
MAVEN_DEPENDENCY_PLUGIN: Final = "3.8.1"

# Its Python is of the release that the Dockerfile's base has: 3.13.
DEBIAN: Final = "trixie"

# The oldest tools that will do.
GO: Final = (1, 26)
JAVA: Final = {OPENSEARCH_3: 21, OPENSEARCH_2: 11}
