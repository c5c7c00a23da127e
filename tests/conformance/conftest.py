"""The cluster of a conformance run: three nodes in three zones, with an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from botocore.client import BaseClient
from clients import lambda_client
from clusters import TwoAccountCluster, watched

from conformance import images, objects
from conformance.recipes import OBJECTS
from conformance.values import REGION
from conformance.wire import CONFIG


@pytest.fixture(scope="session")
def conformant(dunlin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseClient]:
    """A client that checks nothing and tries nothing twice."""
    directory = tmp_path_factory.mktemp("conformance")
    store = objects.filled(OBJECTS)
    registries = {"registries": {"others": False, "hosts": [{"host": images.HOST, "plain": True}]}}
    settings = objects.settings(store, directory) | registries
    registry = images.started()
    try:
        with watched(TwoAccountCluster(dunlin, directory / "cluster", settings=settings)) as cluster:
            yield lambda_client(cluster.endpoint("a"), cluster.credentials, REGION, **CONFIG)
    finally:
        registry.shutdown()
        store.stop()
