from tests.engines import database, migrated_file, place, postgresql_place, sqlite_place
from tests.engines import run_with_database as pytest_pyfunc_call

__all__ = ["database", "migrated_file", "place", "postgresql_place", "pytest_pyfunc_call", "sqlite_place"]
