"""The requests are what they are meant to be: made without a cluster, and held against the model."""

import datetime
from collections import Counter

import pytest

from conformance import answers, api_model
from conformance.absent import ABSENT
from conformance.cases import cases
from conformance.recipes import GROUPS
from conformance.sites import sites
from conformance.stored import STORED
from conformance.world import IMAGINED

RECIPES = {recipe.operation: recipe for recipes in GROUPS.values() for recipe in recipes}


def plain(value):
    """A request's value as JSON has it."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def model_faults(operation, params):
    """What of a request breaks the model. Times are given as texts, too."""
    shape = api_model.operation(operation).input_shape
    if shape is None:
        return ["parameters"] if params else []
    return [fault for fault in answers.shape_faults(shape, plain(params)) if "is no number of seconds" not in fault]


def test_every_operation_has_a_recipe():
    named = [recipe.operation for recipes in GROUPS.values() for recipe in recipes]
    assert Counter(named) == Counter(api_model.OPERATIONS)
    assert set(STORED) | set(ABSENT) <= set(api_model.OPERATIONS) and not set(STORED) & set(ABSENT)


@pytest.mark.parametrize("operation", api_model.OPERATIONS)
def test_every_member_is_tried(operation):
    recipe, owner = RECIPES[operation], api_model.operation(operation).input_shape
    every = {".".join(path).replace(".[", "[").replace(".{", "{") for path, _ in api_model.walk(owner)} if owner else set()
    requests = [recipe.request(IMAGINED, *ways) for ways in ((), *((way,) for way in recipe.given))]
    tried = {site.label for request in requests for site in sites(owner, request)}
    left_out = {label for label in every if any(label == name or label.startswith(f"{name}.") for name in recipe.apart)}
    assert every - tried == left_out


@pytest.mark.parametrize("operation", api_model.OPERATIONS)
def test_valid_requests_keep_to_the_model_and_invalid_ones_break_it(operation):
    titles = Counter()
    for case in cases(RECIPES[operation]):
        titles[case.title] += 1
        found = model_faults(operation, case.make(IMAGINED))
        # What botocore cannot serialise is broken after it was serialised.
        is_broken = bool(found) or case.edit is not None
        breaks = bool(case.expected.violation) or case.title.endswith(("of another type", "that is no base64"))
        if breaks:
            assert is_broken, f"{case.title} breaks nothing"
        elif case.expected.success:
            assert not found, f"{case.title}: {found}"
    assert max(titles.values()) == 1, titles.most_common(3)


def test_a_pattern_that_python_does_not_know_still_decides():
    tag = api_model.SERVICE.shape_for("TagKey")
    pattern = api_model.pattern(tag)
    for good in ("team", "größe", "a b", "a/b:c=d+e-f@g_h.i"):
        assert api_model.matches(pattern, good)
    for bad in ("50%", "a;b", "q?"):
        assert not api_model.matches(pattern, bad)
