"""Errors for the person at the terminal: one line with the value, the rule and the fix.

>>> error = ConfigError(f"model=xgbost: unknown; {suggest('xgbost', ['rf', 'xgb'])}")
>>> one_line(error)
'model=xgbost: unknown; did you mean xgb?'
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_LINE = 2000  # characters
_NEAR = 0.6  # of 1; at 0.5 `lang` is near `tracking`, of which it shares two letters


class StudentPerfError(Exception):
    """Base of every error that a user can fix; shown as one line, without a traceback."""


class ConfigError(StudentPerfError):
    """The composed config breaks a rule."""


class DataError(StudentPerfError):
    """The dataset cannot be used."""


class ModelError(StudentPerfError):
    """A model gives a wrong kind of answer, or does what a model must not do."""


class TrackingError(StudentPerfError):
    """The tracking store cannot be reached or refuses what is sent."""


class StoreUnreachableError(TrackingError):
    """The tracking store does not answer; the run is on disk and can be sent later."""


class DiskError(StudentPerfError):
    """A folder cannot take what is to be written."""


class ChangedError(StudentPerfError):
    """What a run has left is not as it was; a finding, not a fault of the command."""


# What XGBoost and LightGBM call parameters outside their scikit-learn classes, and those here.
_NATIVE_NAMES = {
    "alpha": "reg_alpha",
    "bagging_fraction": "subsample",
    "bagging_freq": "subsample_freq",
    "boosting": "boosting_type",
    "eta": "learning_rate",
    "feature_fraction": "colsample_bytree",
    "lambda": "reg_lambda",
    "lambda_l1": "reg_alpha",
    "lambda_l2": "reg_lambda",
    "min_data_in_leaf": "min_child_samples",
    "min_gain_to_split": "min_split_gain",
    "min_split_loss": "gamma",
    "min_sum_hessian_in_leaf": "min_child_weight",
    "nthread": "n_jobs",
    "num_boost_round": "n_estimators",
    "num_iterations": "n_estimators",
    "num_round": "n_estimators",
    "num_threads": "n_jobs",
}


def suggest(word: str, choices: Iterable[str], listed: Iterable[str] | None = None) -> str:
    """Sentence that names the choice nearest to `word`. If none is near it lists all of them, or
    those of `listed` where they are many.

    >>> suggest("lern", ["learn", "drop"])
    'did you mean learn?'
    >>> suggest("feature_fraction", ["colsample_bytree", "gamma"])
    'did you mean colsample_bytree?'
    >>> suggest("lang", ["model.C", "tracking"], ["model", "tracking"])
    'choose from model, tracking'
    """
    known = sorted(choices)
    if _NATIVE_NAMES.get(word) in known:
        return f"did you mean {_NATIVE_NAMES[word]}?"
    folded = {choice.casefold(): choice for choice in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=_NEAR)
    near = near or [choice for choice in folded if choice.startswith(word.casefold())]
    if near and word:
        return f"did you mean {' or '.join(folded[choice] for choice in near)}?"
    named = known if listed is None else sorted(listed)
    return f"choose from {', '.join(named)}" if named else "there are no choices"


def encodable(text: str) -> str:
    r"""The text with what UTF-8 cannot hold escaped: lone surrogates, as undecodable bytes give.

    >>> encodable("menu\udce9")
    'menu\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(error: BaseException) -> str:
    """Text of any error on one line: this package's own as written, others after their type.

    It can always be written: what UTF-8 cannot hold is escaped, and the line has an end.
    """
    text = " ".join(_text(error).split("\n\n")[0].split())
    text = encodable(text)
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]}... ({len(text):,} characters)"
    if isinstance(error, StudentPerfError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a class of the user's own may have no text
        return ""
