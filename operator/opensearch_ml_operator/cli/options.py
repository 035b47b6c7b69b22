"""Options that several commands share; they are called as kubectl calls them."""

from __future__ import annotations

import argparse


def cluster(parser: argparse.ArgumentParser, *, everywhere: bool = True) -> None:
    """Add what says which cluster and namespace is meant."""
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="kubeconfig to use instead of $KUBECONFIG or ~/.kube/config"
    )
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="namespace; default: the context's")
    if everywhere:
        parser.add_argument("-A", "--all-namespaces", action="store_true", help="look into all namespaces")


def output(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add the choice of the form of the result."""
    parser.add_argument("-o", "--output", choices=("json", *formats), help="print a document instead of text")
