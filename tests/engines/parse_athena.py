"""Parses each statement as Athena's: a list as JSON in, what is wrong with any as JSON out."""
import json
import sys

import sqlglot

wrong = []
for statement in json.load(sys.stdin):
    try:
        (parsed,) = sqlglot.parse(statement, read="athena", error_level=sqlglot.ErrorLevel.RAISE)
        if parsed.key == "command":
            wrong.append(["not understood", statement])
    except (sqlglot.errors.SqlglotError, ValueError) as error:
        wrong.append([str(error), statement])
json.dump(wrong, sys.stdout)
