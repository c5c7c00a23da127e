"""What a client is told when it is refused."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional

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


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """Status, name and text of the error that a call is answered with."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]
