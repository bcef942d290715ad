"""Rights of the database roles as the migrations set them: set again, and looked at.

A dump put back by `pg_restore --clean` makes each table anew under the default privileges, which
give the app role UPDATE and DELETE, and its own grants only add to them: history could then be
rewritten. So `migrate` sets every right again, whether or not there is anything to migrate.
"""

from collections.abc import Iterator, Sequence

from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.special import SeparateDatabaseAndState

from core import partitions
from core.database import Rights, SetRights, role, set_rights

_CHANGES = ("UPDATE", "DELETE", "TRUNCATE")


def declared(alias: str = "default") -> dict[tuple[str, str], Rights]:
    """What the migrations say last, by table and role setting."""
    loader = MigrationExecutor(connections[alias]).loader
    plan = [node for leaf in loader.graph.leaf_nodes() for node in loader.graph.forwards_plan(leaf)]
    operations = (
        one for node in dict.fromkeys(plan) for one in loader.disk_migrations[node].operations
    )
    found: dict[tuple[str, str], Rights] = {}
    for step in _steps(operations):
        for rights in step.wanted:
            found[rights.table, rights.role_setting] = rights
    return found


def _steps(operations: Iterator[Operation] | Sequence[Operation]) -> Iterator[SetRights]:
    for operation in operations:
        if isinstance(operation, SetRights):
            yield operation
        elif isinstance(operation, SeparateDatabaseAndState):
            yield from _steps(operation.database_operations)


def restate(alias: str = "owner") -> int:
    """Set every declared right again, as the owner; on how many tables."""
    wanted = [rights for rights in declared(alias).values() if _exists(alias, rights.table)]
    with connections[alias].schema_editor() as editor:
        for rights in wanted:
            set_rights(editor, rights.table, role(rights.role_setting), rights.rights)
    partitions.close(alias=alias)
    return len({rights.table for rights in wanted})


def too_wide(alias: str = "default") -> list[str]:
    """Tables that a role may change although the migrations say that it may not."""
    wide = []
    with connections[alias].cursor() as cursor:
        for rights in declared(alias).values():
            for act in set(_CHANGES) - set(rights.rights):
                cursor.execute(
                    "SELECT to_regclass(%s) IS NOT NULL AND has_table_privilege(%s, %s, %s)",
                    [rights.table, role(rights.role_setting), rights.table, act],
                )
                if cursor.fetchone() == (True,):
                    wide.append(rights.table)
    return sorted(set(wide))


def _exists(alias: str, table: str) -> bool:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return bool(cursor.fetchone() == (True,))
