"""Tells which code and which configuration answered. The word is put in when the package is made."""

import os

WORD = "@WORD@"


def handler(event, context):
    return {"word": WORD, "version": context.function_version, "setting": os.environ.get("SETTING")}
