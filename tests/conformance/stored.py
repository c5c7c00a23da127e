"""Operations that keep what they are told, and whose machinery is not there: what they should bring about does not happen.

The checks cannot see that; whoever builds the machinery takes the operation out of here.
"""

from __future__ import annotations

STORED: dict[str, str] = {}
