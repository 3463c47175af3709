"""Databases for a real Airflow: SQLite, and Debian's PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents._cli.processes import free_port, last_line, process_group


class SqliteDatabase:
    """A database in a file. Airflow's own setting points to it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "airflow.db"
        self.settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._file}"}

    def query(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose parameters are written ``?``."""
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=600)) as database:
            return database.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Do nothing: each query closes its file."""


class SqliteServer:
    """
    Databases in files. A new one is a copy of the first, so that Airflow creates its tables only once.

    :param folder: the folder of the first one, ``airflow.db``.
    """

    def __init__(self, folder: Path) -> None:
        self._template = folder / "airflow.db"

    def first(self) -> SqliteDatabase:
        return SqliteDatabase(self._template.parent)

    def create(self, folder: Path) -> SqliteDatabase:
        with (
            closing(sqlite3.connect(self._template)) as template,
            closing(sqlite3.connect(folder / self._template.name)) as copy,
        ):
            template.backup(copy)
        return SqliteDatabase(folder)


class PostgresDatabase:
    """A database of a PostgreSQL server."""

    def __init__(self, port: int, password: str, name: str) -> None:
        self._address = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": password, "dbname": name}
        url = f"postgresql+psycopg2://postgres:{password}@127.0.0.1:{port}/{name}"
        self.settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}
        self._connection: Any = None

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose parameters are written ``?``."""
        import psycopg2

        if self._connection is None:
            self._connection = psycopg2.connect(**self._address)
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()


class PostgresServer:
    """
    A PostgreSQL server of this session.

    :param port: its port on the loopback address.
    :param password: that of its superuser.
    """

    def __init__(self, port: int, password: str) -> None:
        self._port, self._password = port, password
        self._number = 0

    def database(self, name: str) -> PostgresDatabase:
        return PostgresDatabase(self._port, self._password, name)

    def first(self) -> PostgresDatabase:
        return self._created("template", "template1")

    def create(self, folder: Path) -> PostgresDatabase:
        self._number += 1
        return self._created(f"airflow{self._number}", "template")

    def _created(self, name: str, template: str) -> PostgresDatabase:
        with closing(self.database("postgres")) as database:
            database.query(f"create database {name} template {template}")
        return self.database(name)

    def is_ready(self) -> bool:
        import psycopg2

        try:
            with closing(self.database("postgres")) as database:
                database.query("select 1")
        except psycopg2.OperationalError:
            return False
        return True


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run Debian's PostgreSQL on the loopback address, or skip the test where it is missing."""
    programs = _postgres_programs()
    with ExitStack() as stack:
        # the server's user may not enter pytest's folders
        folder = Path(tempfile.mkdtemp(prefix="airflow-cwevents-postgres-"))
        stack.callback(shutil.rmtree, folder)
        password, environment = "airflow", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        (folder / "password").write_text(password)
        as_user = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        data = ["-D", str(folder / "data")]
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
        with process_group(
            [*as_user, f"{programs}/initdb", *data, *options], log := folder / "initdb.log", environment
        ) as initdb:
            assert initdb.wait() == 0, last_line(log)
        port = free_port()
        command = [*as_user, f"{programs}/postgres", *data, "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        process = stack.enter_context(process_group(command, log := folder / "postgres.log", environment))
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGINT)  # fast shutdown: clients are disconnected
        server = PostgresServer(port, password)
        while not server.is_ready():
            assert process.poll() is None, last_line(log)
            time.sleep(0.05)
        yield server


def _postgres_programs() -> Path:
    pytest.importorskip("psycopg2", reason="PostgreSQL needs psycopg2-binary")
    pytest.importorskip("asyncpg", reason="Airflow on PostgreSQL needs asyncpg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("Debian's package postgresql is not installed")
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("there is no user postgres to run PostgreSQL as")
    return found[-1].parent


Database = SqliteDatabase | PostgresDatabase
Server = SqliteServer | PostgresServer
