"""Hydra loads sweepers and search paths from the namespace `hydra_plugins` only."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from student_perf.config.search_path import add_own_conf
from student_perf.sweep import sweeper


class OptunaSweeper(sweeper.OptunaSweeper):
    """See `student_perf.sweep.sweeper`."""


class OwnConf(SearchPathPlugin):
    """See `student_perf.config.search_path`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the `conf` of the current folder."""
        add_own_conf(search_path)
