"""The object store that the cluster of a run knows, and what lies there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from object_store import ACCESS_KEY, REGION, SECRET, ObjectStore

BUCKET = "conformance-bucket"
VERSION = "version-1"


def address(key: str) -> dict[str, str]:
    """An object, as a request names it with every member that there is for that."""
    return {"S3Bucket": BUCKET, "S3Key": key, "S3ObjectVersion": VERSION, "S3ObjectStorageMode": "COPY"}


def filled(objects: dict[str, bytes]) -> ObjectStore:
    """A store with these objects by their keys."""
    store = ObjectStore()
    for key, content in objects.items():
        store.put(BUCKET, key, content, version=VERSION)
    return store


def settings(store: ObjectStore, directory: Path) -> dict[str, Any]:
    """What a node is told of the store."""
    secret = directory / "store-secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET + "\n")
    section = {"endpoint": store.endpoint, "region": REGION, "access_key_id": ACCESS_KEY, "secret_file": str(secret)}
    return {"s3": section}
