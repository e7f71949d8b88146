"""An event that the database refuses each time it is committed, until it is cured: a trigger on one subscription's id."""

import uuid

import psycopg


class Poison:
    """`subscription_id` can't be written to sluice.subscriptions from now on."""

    def __init__(self, url):
        mark = uuid.uuid4().hex[:16]
        self.url = url
        self.subscription_id = f"sub_toxic_{mark}"
        self.name = f"poison_{mark}"
        self._run(f"CREATE FUNCTION sluice.{self.name}() RETURNS trigger LANGUAGE plpgsql AS"
                  f" $$ BEGIN RAISE EXCEPTION 'poison'; END $$",
                  f"CREATE TRIGGER {self.name} BEFORE INSERT OR UPDATE ON sluice.subscriptions FOR EACH ROW"
                  f" WHEN (NEW.id = '{self.subscription_id}') EXECUTE FUNCTION sluice.{self.name}()")

    def _run(self, *statements):
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def cure(self):
        """The fix. May be called again."""
        self._run(f"DROP TRIGGER IF EXISTS {self.name} ON sluice.subscriptions",
                  f"DROP FUNCTION IF EXISTS sluice.{self.name}()")
