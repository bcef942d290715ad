"""Rights of the database roles, for migrations. Runs as the owner; names come from settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from psycopg import sql

APP, STREAM = "LETHE_APP_ROLE", "LETHE_STREAM_ROLE"
_RIGHTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"})


@dataclass(frozen=True, slots=True)
class Rights:
    """Exactly what a role, named by its setting, may do with a table."""

    table: str
    role_setting: str
    rights: tuple[str, ...]


class SetRights(migrations.RunPython):
    """A migration step that sets rights, and says which, so that they can be set again."""

    def __init__(self, *wanted: Rights) -> None:
        self.wanted = wanted
        super().__init__(self._set, migrations.RunPython.noop)

    def _set(self, _apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        for one in self.wanted:
            set_rights(editor, one.table, role(one.role_setting), one.rights)


def grant(table: str, role_setting: str, rights: Sequence[str]) -> SetRights:
    """A migration step that gives the role named by `role_setting` exactly `rights` on `table`.

    Rights that the default privileges gave and that are not listed are taken away.
    """
    return SetRights(Rights(table, role_setting, _checked(rights)))


def insert_only(table: str, *, stream_inserts: bool = False) -> SetRights:
    """A migration step: no role but the owner may UPDATE, DELETE or TRUNCATE `table`.

    The app role may SELECT and INSERT; the stream role SELECT, and INSERT when asked for.
    """
    stream_rights = ("SELECT", "INSERT") if stream_inserts else ("SELECT",)
    return SetRights(Rights(table, APP, ("SELECT", "INSERT")), Rights(table, STREAM, stream_rights))


def default_privileges() -> migrations.RunPython:
    """The step that comes before any table: what each role may do with tables made later."""

    def forwards(_apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
        for name in (role(APP), role(STREAM)):
            _require_role(editor, name)
        for statement in _DEFAULTS:
            editor.execute(
                sql.SQL(statement)
                .format(app=sql.Identifier(role(APP)), stream=sql.Identifier(role(STREAM)))
                .as_string()
            )

    return migrations.RunPython(forwards, migrations.RunPython.noop)


def role(role_setting: str) -> str:
    """The role's name as the settings give it."""
    name: str = getattr(settings, role_setting)
    return name


def set_rights(
    editor: BaseDatabaseSchemaEditor, table: str, name: str, rights: Sequence[str]
) -> None:
    """Give role `name` exactly `rights` on `table`."""
    parts = {"table": sql.Identifier(table), "role": sql.Identifier(name)}
    editor.execute(sql.SQL("REVOKE ALL ON {table} FROM {role}").format(**parts).as_string())
    if rights:
        wanted = sql.SQL(", ").join(sql.SQL(right) for right in _checked(rights))
        editor.execute(
            sql.SQL("GRANT {rights} ON {table} TO {role}")
            .format(rights=wanted, **parts)
            .as_string()
        )


#: The migration history is read by /readyz; Django makes that table before any migration runs.
_DEFAULTS = (
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {app}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT UPDATE, DELETE ON TABLES TO {app}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {app}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {stream}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {stream}",
    "GRANT USAGE ON SCHEMA public TO {app}, {stream}",
    "GRANT SELECT ON django_migrations TO {app}, {stream}",
)


def _checked(rights: Sequence[str]) -> tuple[str, ...]:
    unknown = set(rights) - _RIGHTS
    if unknown:
        message = f"Not a right on tables: {', '.join(sorted(unknown))}."
        raise ValueError(message)
    return tuple(rights)


def _require_role(editor: BaseDatabaseSchemaEditor, name: str) -> None:
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone() is None:
            message = (
                f"The database role {name} does not exist. Create it as a superuser"
                f" (CREATE ROLE {name} LOGIN), or set LETHE_APP_ROLE / LETHE_STREAM_ROLE."
            )
            raise ImproperlyConfigured(message)
