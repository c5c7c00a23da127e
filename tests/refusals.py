"""How the tests of refused calls say what they expect."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Optional

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, message: Optional[str] = None, status: Optional[int] = None) -> Iterator[None]:
    """Expects a call to be refused with this error, and with exactly this text if one is given."""
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert response["Error"]["Code"] == code, response["Error"]
    if message is not None:
        assert response["Error"]["Message"] == message
    if status is not None:
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
