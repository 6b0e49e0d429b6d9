"""Write the JSON Schemas that editors read beside the YAML, from the models. A test holds them equal."""

import json
from pathlib import Path

from alerts.receivers.book import receivers_schema
from alerts.rules.book import rules_schema
from ingest.catalog import catalogue_schema

CONFIG = Path(__file__).parents[1] / "config"

SCHEMAS = {"catalog": catalogue_schema(), "rules": rules_schema(), "receivers": receivers_schema()}

for name, schema in SCHEMAS.items():
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    (CONFIG / f"{name}.schema.json").write_text(text, encoding="utf-8")
