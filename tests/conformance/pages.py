"""Drives botocore's paginators and waiters for real."""

from __future__ import annotations

import json
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from conformance import api_model
from conformance.wire import Wire

# Enough for several pages, and more than any list has when it is paged through.
ITEMS_LEAST = 3
ITEMS_MOST = 200


def page_faults(wire: Wire, operation: str, params: dict[str, Any]) -> list[str]:
    """What is wrong with the pages of a list that has at least `ITEMS_LEAST` items, one item a page."""
    result = api_model.PAGINATORS[operation]["result_key"]
    paginator = wire.client.get_paginator(xform_name(operation))
    pages = []
    try:
        for page in paginator.paginate(**params, PaginationConfig={"PageSize": 1}):
            pages.append(page)
            if len(pages) > ITEMS_MOST:
                return ["pages do not end"]
    except ClientError as refused:
        return [refused.response["Error"]["Code"]]
    items = [json.dumps(item, sort_keys=True, default=str) for page in pages for item in page.get(result, [])]
    faults = []
    if len(items) < ITEMS_LEAST:
        faults.append(f"{len(items)} items, where at least {ITEMS_LEAST} are")
    if len(set(items)) != len(items):
        faults.append("an item on two pages")
    if any(len(page.get(result, [])) > 1 for page in pages):
        faults.append("more than MaxItems on a page")
    if "NextMarker" in pages[-1]:
        faults.append("NextMarker on the last page")
    return faults
