"""The way back from a promotion. Apart from it, since nothing is compared here: a refusal needs no
library.
"""

from __future__ import annotations

import time

from student_perf.errors import ConfigError
from student_perf.runs import tags
from student_perf.store.registry import CHAMPION, PREVIOUS, Registry, Version


def rollback(registry: Registry, by: str | None, why: str | None) -> tuple[Version, Version]:
    """Exchange champion and previous champion; returns the new and the old one.

    Raises ConfigError if one of them does not exist.
    """
    champion, previous = registry.holder(CHAMPION), registry.holder(PREVIOUS)
    if champion is None:
        raise ConfigError(f"{registry.name}: has no champion to leave; promote a run first")
    if previous is None:
        raise ConfigError(
            f"{registry.name}: has no earlier champion to go back to; promote another run first"
        )
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    content = {"model": registry.name, "at": at, "by": by, "why": why}
    content |= {"from_version": champion.number, "to_version": previous.number}
    registry.log_json(champion.run_id, f"rollback_{time.strftime('%Y%m%dT%H%M%S')}.json", content)
    registry.move({CHAMPION: previous, PREVIOUS: champion})
    reason = f"{at} by {by or 'unnamed'}: {why or 'no reason given'}"
    registry.tag(champion, {tags.ROLLED_BACK: reason})
    return previous, champion
