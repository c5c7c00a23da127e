"""How each operation is called, by feature. Together they are the whole API."""

from __future__ import annotations

from conformance.recipe import Recipe
from conformance.recipes import (
    aliases,
    capacity,
    code_signing,
    concurrency,
    durable,
    event_invoke,
    event_sources,
    functions,
    invocations,
    layers,
    permissions,
    settings,
    urls,
)

# What has to lie in the object store of the cluster, by key.
OBJECTS: dict[str, bytes] = {**functions.OBJECTS, **layers.OBJECTS}

GROUPS: dict[str, list[Recipe]] = {
    "Functions": functions.RECIPES,
    "Versions and aliases": aliases.RECIPES,
    "Invocation": invocations.RECIPES,
    "Permissions": permissions.RECIPES,
    "Layers": layers.RECIPES,
    "Concurrency": concurrency.RECIPES,
    "Asynchronous invocation": event_invoke.RECIPES,
    "Event source mappings": event_sources.RECIPES,
    "Function URLs": urls.RECIPES,
    "Code signing": code_signing.RECIPES,
    "Runtimes, recursion, tags, account": settings.RECIPES,
    "Capacity providers and scaling": capacity.RECIPES,
    "Durable executions": durable.RECIPES,
}
