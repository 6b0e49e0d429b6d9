"""The usual Python way, for comparison: aiomqtt + json + `executemany` with ON CONFLICT.

Reads the same messages from its own persistent session and stores them in a table of the same shape. It
acknowledges on arrival, as aiomqtt does. Run as a child process by `tests.bench`, which ends it.
"""

import argparse
import asyncio
import json
from datetime import datetime

import aiomqtt
import psycopg
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BATCH = 1000
TABLE = """CREATE TABLE IF NOT EXISTS usual (
    device text, channel text, time timestamptz, value float8, PRIMARY KEY (device, channel, time))"""
INSERT = "INSERT INTO usual VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


async def consume(arguments: argparse.Namespace) -> None:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = 8000
    connection = await psycopg.AsyncConnection.connect(arguments.database)
    async with (
        connection,
        aiomqtt.Client(
            "127.0.0.1",
            arguments.port,
            username=arguments.username,
            password=arguments.password,
            identifier="huewatch-usual-way",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            timeout=60,
        ) as client,
    ):
        await connection.execute(TABLE)
        await connection.commit()
        await client.subscribe(arguments.filter, qos=1)
        if arguments.count == 0:
            return
        await _store(client, connection, arguments.count)


async def _store(client: aiomqtt.Client, connection: psycopg.AsyncConnection, count: int) -> None:
    rows: list[tuple[str, str, datetime, float]] = []
    seen = 0
    async for message in client.messages:
        device = message.topic.value.split("/")[3]
        body = json.loads(bytes(message.payload))
        for reading in body["readings"]:
            time = datetime.fromisoformat(reading.get("time") or body["time"])
            rows.append((device, reading["channel"], time, float(reading["value"])))
        seen += 1
        if len(rows) == BATCH or seen == count:
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT, rows)
            await connection.commit()
            rows.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("database", "username", "password", "filter"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, required=True, help="0 only makes the session")
    asyncio.run(consume(parser.parse_args()))


if __name__ == "__main__":
    main()
