"""Whether every operation of the API does what its model says: requests made from the model, answers checked against it.

The model is the one that botocore carries; it is read when the tests run. `recipes/` says what the model cannot: how to
make the functions, versions and mappings that a request names, and which values make sense together. From a recipe
`cases.py` makes valid requests, requests at every bound, and requests one step past it; `answers.py` checks what comes
back; `table.py` writes docs/compatibility.md. No expectation depends on what this cluster can do: what it cannot do
is a line of that table.
"""
