"""`filter(id__any=values)`: as `__in`, with one array for any number of values."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Lookup
from django.db.models.fields.related import ForeignObject
from django.db.models.sql.compiler import SQLCompiler


@ForeignObject.register_lookup  # a relation takes its lookups from here and not from Field
@Field.register_lookup
class AnyOf(Lookup):
    """`column = ANY(array)`; a statement of a thousand placeholders costs more than its rows."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        column, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        return f"{column} = ANY(%s::{kind}[])", [*parameters, list(self.rhs)]
