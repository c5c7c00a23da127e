"""Gives back what it got."""


def handler(event, context):
    return event
