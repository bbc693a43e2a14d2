"""Runs statements, then queries, in ClickHouse: cases of both as JSON in, rows of the queries as JSON out."""
import json
import sys

from chdb import session

cases = json.load(sys.stdin)
clickhouse = session.Session()
clickhouse.query("create database lake")
clickhouse.query("use lake")
answers = []
for case in cases:
    for statement in case["statements"]:
        clickhouse.query(statement)
    answers.append({name: [json.loads(line) for line in str(clickhouse.query(query, "JSONCompactEachRow")).splitlines()]
                    for name, query in case["queries"].items()})
json.dump(answers, sys.stdout)
