"""Checks of feature columns: what tells a model nothing, and what is read as it was not meant.

Each errs on the side of silence, since a warning that is often wrong is soon read by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kstest, rankdata

from student_perf.config.overrides import declaration, literal, setting, shell_word
from student_perf.data.missing import missing_line
from student_perf.data.spellings import folded, same_values
from student_perf.data.totals import sums_up
from student_perf.evaluation.given_sides import names_sides
from student_perf.evaluation.registry import SOME_ROWS, Subject, check
from student_perf.evaluation.strength import COPY_CORRELATION, COPY_SHARE, association
from student_perf.tables.options import TAKEN_AS_MISSING, UNTAKEN_WORDS, decided_by_column
from student_perf.text import plural

_ID_SHARE = 0.95
FEWEST_ROWS = 30  # that show an identifier
_MOST_COLUMNS = 200  # whose pairs are looked at
_MOST_NAMED = 3
_MOST_LISTED = 12  # values of a column in a line to type
_LAST_ROWS = 3  # of which one may sum up the others; a note may stand below it
_ROUNDED = 0.005  # half of the last digit of a mean with two decimals
_FEWEST_OTHERS = 5  # rows by which a column may differ from a constant and still tell nothing
_NEARLY_EMPTY = 0.95
_ENOUGH_ROWS = 100
_ROWS_PER_VALUE = 5
_FREE_TEXT = 0.5  # distinct values in the filled rows
_WORDS_OF_PROSE = 3  # in a cell, the least; shorter ones are names and labels
_FEWEST_SENTENCES, _SHARE_OF_SENTENCES = 30, 0.1  # different ones, and as a share of the rows
_QUANTITY = re.compile(
    r"[<>~≈≤≥]?\s*[$€£]?\s*[+-]?\d+(?:[.,]\d+)*\s*(?:%|[$€£]|[A-Za-zµ°]{1,7}\.?(?:/[A-Za-z]+)?)?"
)
_FEWEST_QUANTITIES = 8
_FEWEST_LETTERS = 5  # at the end of values, by which they are codes
_STANDS_FOR_MISSING = (-9999, -999, -99, -9, 99, 999, 9999, 99999)
_NAMED_CODE = re.compile(r"(?:^|[ _])(?:code|codigo|código|zip|postcode|cp)(?:$|[ _])")


@check(
    "SP201",
    "A column that looks like an identifier",
    what="Text has a different value in at least 95 % of the rows, or whole numbers do that were "
    "given out: in the order of the rows, without many gaps, or evenly over a range.",
    why="A number of a student tells nothing about another student. A flexible model learns it by "
    "heart, or finds the order in which the rows were collected.",
    fix="Add the column to `dataset.drop`. If it groups rows, such as a pupil with several tests, "
    "declare it as `dataset.group`.",
)
def id_like(subject: Subject) -> Iterator[str]:
    """A line for each column with hardly any value twice."""
    if len(subject.rows) < FEWEST_ROWS:
        return
    for name, column in subject.dataset.features.drop(columns=[*subject.dataset.text]).items():
        # Where the first rows already repeat themselves, the whole column need not be counted.
        if not _looks_like_id(column.iloc[subject.rows[:SOME_ROWS]]):
            continue
        rows = column.iloc[subject.rows]
        if identifies_rows(rows):
            yield (
                f"column '{name}': looks like an identifier ({rows.nunique()} different values "
                f"in {len(rows)} rows); add it to dataset.drop"
            )


@check(
    "SP202",
    "A constant column",
    what="A column holds the same value, or none, in every development row.",
    why="It cannot tell two rows apart. Often a filter or a wrong separator is behind it.",
    fix="Add the column to `dataset.drop`, or look up why it is constant.",
)
def constant(subject: Subject) -> Iterator[str]:
    """A line for each column with a single value."""
    for name, column in subject.dataset.features.items():
        if column.iloc[subject.rows[:SOME_ROWS]].nunique(dropna=False) > 1:
            continue
        rows = column.iloc[subject.rows]
        if rows.isna().all():
            yield f"column '{name}': is missing in every row; add it to dataset.drop"
        elif rows.nunique(dropna=False) == 1:
            yield f"column '{name}': holds the same value in every row; add it to dataset.drop"


@check(
    "SP203",
    "Columns that hold the same",
    what="Two features correlate by 0.99 or more, in value or in rank, or each value of one goes "
    "with a single value of the other.",
    why="Permutation importance shares the credit between them, so both look unimportant, and "
    "coefficients of linear models no longer mean anything. The score itself hardly suffers.",
    fix="Keep one of them: add the other to `dataset.drop`. Where only the score matters, "
    "`guards.SP203=off`.",
)
def same(subject: Subject) -> Iterator[str]:
    """One line for all pairs of columns that hold nearly the same."""
    pairs = [*_correlated(subject), *_same_categories(subject)]
    if not pairs:
        return
    named = ", ".join(f"'{one}' and '{two}'" for one, two in pairs[:_MOST_NAMED])
    more = f" and {len(pairs) - _MOST_NAMED} more pairs" if len(pairs) > _MOST_NAMED else ""
    yield (
        f"columns {named}{more}: hold nearly the same, so importances are shared between them; "
        "add one of each pair to dataset.drop"
    )


@check(
    "SP204",
    "A column that tells next to nothing",
    what="All rows but fewer than five hold the same value, fewer than 5 % hold any, or text has "
    "so many values that most occur once.",
    why="There is nothing to learn from a handful of rows, and a category that occurs once is "
    "never met again. Such columns cost time and give a flexible model something to learn by "
    "heart. Columns that merely turn out weak are no finding.",
    fix="Add the column to `dataset.drop`, or derive from it what repeats, such as a group or a "
    "length.",
)
def useless(subject: Subject) -> Iterator[str]:
    """A line for each column that is nearly constant, nearly empty, or free text."""
    n = len(subject.rows)
    if n < _ENOUGH_ROWS:
        return
    for name, column in subject.dataset.features.items():
        rows = column.iloc[subject.rows]
        filled = int(rows.notna().sum())
        if 0 < filled < (1 - _NEARLY_EMPTY) * n:
            yield f"column '{name}': holds a value in {filled} of {n} rows; add it to dataset.drop"
        elif name in subject.dataset.text:
            continue
        elif filled and not _is_prose(rows) and (words := _tells_nothing(rows, filled, n)):
            yield f"column '{name}': {words}; add it to dataset.drop"


@check(
    "SP205",
    "Numbers read as text",
    what="Nearly all values of a column of text are numbers with a unit, a sign or a currency "
    "beside them, or half of its rows are numbers.",
    why="Each number becomes a category of its own, without order or distance, and a number that "
    "training has not seen is unknown.",
    fix="Take the unit off in the file (in a spreadsheet: cell format Number), or map the values "
    "and add `{step: to_numeric, columns: [...]}` to `dataset.clean`. If the values are labels: "
    "`dataset.categorical=[...]`.",
)
def near_numbers(subject: Subject) -> Iterator[str]:
    """A line for each column of text that is nearly one of numbers."""
    declared = {*subject.config.categories, *subject.config.categorical}
    for name in subject.dataset.categorical:
        if name not in declared and (example := _nearly_number(subject.some[name].dropna())):
            yield (
                f"column '{name}': is text that holds numbers, like '{example}'; take off in the "
                "file what is beside them (in a spreadsheet: cell format Number), or name it in "
                "dataset.categorical"
            )


@check(
    "SP206",
    "Words that may stand for missing",
    what="Cells with words such as `none`, `NA` or `-` were taken as missing, or words such as "
    "`NS/NC`, `unknown` or `s/d` were not, and nobody has declared whether they are.",
    why="`none` is an honest answer to many questions. The student file that is copied most on "
    "public sites loses 642 of 1000 answers to readers that take it for a gap. Left as it is, a "
    "word for `no answer` is a category like any other.",
    fix="Say which: `dataset.missing_words=[default,NS/NC]` adds words to those that are decided "
    "by column, `dataset.missing_words=[none]` takes these and no others, and "
    "`dataset.missing_words=[]` takes all as answers. Words in `dataset.categories` and "
    "`dataset.classes` are answers.",
)
def taken_for_missing(subject: Subject) -> Iterator[str]:
    """A line for each word that reading or cleaning has taken as missing, and for each column with
    others that may be meant so.
    """
    words = getattr(subject.config, "missing_words", None)
    if not decided_by_column(words):
        return
    yield from (note for note in subject.dataset.notes if TAKEN_AS_MISSING in note)
    dataset, declared = subject.dataset, subject.config.categories
    for name in dataset.categorical:
        if name not in declared and len(found := _untaken(subject.some[name])):
            line = missing_line(words, map(str, found.index))
            yield (
                f"column '{name}': {_counted(found)} may mean that the value is missing; if so: "
                f"{line}, if not, declare its values in dataset.categories"
            )
    if dataset.target_name in declared or subject.config.classes or not dataset.classes:
        return
    labels = pd.Series(dataset.target_labels(dataset.target[subject.rows]), dtype="str")
    if len(found := _untaken(labels)):
        line = missing_line(words, map(str, found.index))
        yield (
            f"target '{dataset.target_name}': {_counted(found)} may mean that the value is "
            f"missing; if so: {line} 'dataset.clean=[normalise_text,drop_missing_target]', if not, "
            "list the classes in dataset.classes"
        )


def _untaken(texts: pd.Series) -> pd.Series:
    """How often each word stands that may mean that a value is missing."""
    counts = texts.value_counts()
    return counts[[folded(word) in UNTAKEN_WORDS for word in counts.index]]


def _counted(words: pd.Series) -> str:
    shown = [f"'{word}' ({plural(n, 'row')})" for word, n in words[:_MOST_NAMED].items()]
    more = [f"{len(words) - _MOST_NAMED} more"] if len(words) > _MOST_NAMED else []
    return ", ".join([*shown, *more])


@check(
    "SP207",
    "Numbers that are labels",
    what="A column of whole numbers holds a few codes with wide, uneven gaps, such as the course "
    "numbers 33, 171, 9003 and 9254, or is called a code.",
    why="As a number, course 9003 lies next to 9254 and far from 33, which means nothing. Linear "
    "models and distances suffer most, and new codes are answered without a word.",
    fix="Name the column in `dataset.categorical=[...]`, or list its values in "
    "`dataset.categories`.",
)
def labels(subject: Subject) -> Iterator[str]:
    """A line for each column of numbers that look like codes."""
    for name in subject.dataset.numeric:
        values = np.unique(subject.some[name].dropna())
        n_rows = int(subject.some[name].notna().sum())
        if _are_labels(name, values, n_rows):
            shown = ", ".join(f"{value:g}" for value in values[:_MOST_NAMED])
            yield (
                f"column '{name}': its {len(values)} numbers ({shown}, ...) look like labels; "
                f"if they are: {setting('dataset.categorical', [name])}"
            )


@check(
    "SP208",
    "A number that stands for missing",
    what="A column of numbers, the target among them, holds -9, 99, -999, 9999 or their kin in "
    "several rows, far from all its other values.",
    why="Questionnaires write such numbers for `no answer`. Taken as they are, they move means and "
    "slopes, and a model learns the gap as if it were a quantity.",
    fix="Make them missing: `{step: map_values, column: ..., values: {-999: null}}` in "
    "`dataset.clean`, with `drop_missing_target` after it for the target.",
)
def sentinel(subject: Subject) -> Iterator[str]:
    """A line for each column with a number that stands for missing."""
    dataset = subject.dataset
    columns = {name: dataset.features[name].iloc[subject.rows] for name in dataset.numeric}
    for name, column in (columns | _target_numbers(subject)).items():
        for value in {column.min(), column.max()} & set(_STANDS_FOR_MISSING):
            n = int((column == value).sum())
            if n >= _MOST_NAMED and _is_far(value, column[column != value].dropna()):
                typed = literal(name, "dataset.clean")
                steps = f"{{step: map_values, column: {typed}, values: {{{value:g}: null}}}}"
                steps += ",drop_missing_target" if name == dataset.target_name else ""
                yield (
                    f"column '{name}': {value:g} in {plural(n, 'row')}, far from all its other "
                    "values, may stand for missing; if it does: "
                    + shell_word(f"dataset.clean=[normalise_text,{steps}]")
                )


def _target_numbers(subject: Subject) -> dict[str, pd.Series]:
    """The target of the development rows by its name, if it holds numbers, be they classes or not;
    nothing else.
    """
    dataset = subject.dataset
    if dataset.uncut is not None:
        return {dataset.target_name: pd.Series(dataset.uncut[subject.rows])}
    labels = dataset.target_labels(dataset.target[subject.rows])
    if subject.config.classes and not subject.config.is_ordered:
        return {}
    if any(not isinstance(label, int) for label in dataset.classes):
        return {}
    return {dataset.target_name: pd.Series(labels, dtype="float64")}


@check(
    "SP209",
    "One value in several spellings",
    what="Values of a column of text differ only in case or accents.",
    why="`Excellent` and `eXCELLENT`, or `sí` and `Si`, become two categories, of which one is "
    "rare and means nothing to a model. Copies of a file that were typed by hand hold many of "
    "them.",
    fix="Declare the values in `dataset.categories`: the step `normalise_text` gives each its "
    "declared spelling, whatever its case and accents. `python -m student_perf data FILE --write` "
    "lists them. In the target such classes stop the run.",
)
def spellings(subject: Subject) -> Iterator[str]:
    """A line for each column of text whose values differ only in case or accents."""
    for name in subject.dataset.categorical:
        values = subject.some[name].value_counts().index
        groups = same_values(values)
        if not groups or name in subject.config.categories:
            continue
        other_ones = {value for group in groups for value in group[1:]}
        kept = sorted(str(value) for value in values if value not in other_ones)
        few = kept if len(kept) <= _MOST_LISTED else [*kept[:2], "..."]
        same = " and ".join(f"'{value}'" for value in groups[0])
        yield (
            f"column '{name}': {same} differ only in case or accents; declare each value once: "
            + declaration("dataset.categories", name, few)
        )


@check(
    "SP210",
    "Free text as a category",
    what="The cells of a column hold sentences: three words or more in most of them, and hardly "
    "any of them twice.",
    why="Each sentence becomes a category, and a category that occurs once is never met again. A "
    "model learns nothing from them, or learns the rows by heart, and takes long to do so.",
    fix="Let its words count (`dataset.text=[column]`), add the column to `dataset.drop`, or put "
    "into the file what counts: a length, a grade that somebody gave the text.",
)
def free_text(subject: Subject) -> Iterator[str]:
    """A line for each column of sentences."""
    declared = {*subject.config.categories, *subject.config.categorical}
    for name in subject.dataset.categorical:
        rows = subject.dataset.features[name].iloc[subject.rows]
        if name not in declared and _is_prose(rows):
            yield (
                f"column '{name}': is free text, {rows.nunique()} different ones in {len(rows)} "
                f"rows, and each would be a category; let its words count: "
                f"{setting('dataset.text', [name])}, or add it to dataset.drop"
            )


@check(
    "SP211",
    "A split as a feature",
    what="The cells of a column say train, val or test, and it is a feature.",
    why="Somebody has divided the rows already, and published figures are of that division. As a "
    "feature the column tells nothing of a row, and no new row has it.",
    fix="Take it as the split (`split=column split.column=COLUMN`), or add it to `dataset.drop`.",
)
def given_split(subject: Subject) -> Iterator[str]:
    """A line for each column of text whose cells name sides."""
    for name in subject.dataset.categorical:
        column = subject.dataset.features[name]
        if names_sides(column.iloc[:SOME_ROWS]) and names_sides(column):
            yield (
                f"column '{name}': says which rows train and which are held out; take it as the "
                f"split: split=column {setting('split.column', name)}, or add it to dataset.drop"
            )


@check(
    "SP212",
    "A row of totals",
    what="The last row sums up the others: a cell says Total, Media, Promedio or their kin, in a "
    "column that is left out, too, or all its numbers are the sums or the means of their columns.",
    why="Spreadsheets end like that. As a row it is a student with the sum of all points, which "
    "bends every mean and slope, and it holds targets of test rows.",
    fix="Delete the row in the file.",
)
def totals(subject: Subject) -> Iterator[str]:
    """A line if one of the last rows of all sums up the others."""
    features, fix = subject.dataset.features, "delete it in the file"
    tables = (features, subject.dataset.dropped)
    columns = {str(name): table[name] for table in tables for name in table}
    for name, column in columns.items():
        if column.dtype == np.float64:
            continue
        for row in range(len(column) - 1, max(0, len(column) - 1 - _LAST_ROWS), -1):
            word = column.iloc[row]
            if sums_up(word) and not (column.iloc[:-_LAST_ROWS] == word).any():
                where = "last row" if row == len(column) - 1 else f"row {row}"
                yield f"{where}: '{word}' in column '{name}' sums up the others; {fix}"
                return
    if what := _summed_up(features[list(subject.dataset.numeric)]):
        yield f"last row: its numbers are the {what} of their columns; {fix}"


def _summed_up(numbers: pd.DataFrame) -> str:
    """Whether the last row holds the sums or the means of the others; empty if neither."""
    last, spread = numbers.iloc[-1], numbers.std()
    sums, n = numbers.sum() - last, numbers.notna().sum() - 1
    is_known = last.notna() & (spread > 0)
    margin = np.minimum(_ROUNDED, spread / 100)
    for what, figures in (("sums", sums), ("means", sums / n)):
        if is_known.sum() > 1 and ((last - figures).abs() <= margin)[is_known].all():
            return what
    return ""


def _is_prose(rows: pd.Series) -> bool:
    """Whether most cells hold sentences, and hardly any of them repeats."""
    if rows.dtype == np.float64:
        return False
    known = rows.dropna()
    values = known.unique()
    if len(values) < max(_FEWEST_SENTENCES, _SHARE_OF_SENTENCES * len(known)):
        return False
    lengths = [len(str(value).split()) for value in values[:SOME_ROWS]]
    return bool(np.median(lengths) >= _WORDS_OF_PROSE)


def identifies_rows(column: pd.Series) -> bool:
    """Whether a column of text or float64 looks like an identifier, by the rule of SP201."""
    return len(column) >= FEWEST_ROWS and _looks_like_id(column) and not _is_prose(column)


def _looks_like_id(column: pd.Series) -> bool:
    values = column.dropna()
    if not len(values) or values.nunique() < _ID_SHARE * len(column):
        return False
    if values.dtype != np.float64 and values.astype("str").str.contains("[$€£]").mean() > 0.5:
        return False  # amounts of money, of which SP205 says what to do
    return values.dtype != np.float64 or _are_numbers_given(values.to_numpy(np.float64))


def _are_numbers_given(values: np.ndarray) -> bool:
    """Whether whole numbers that hardly repeat are given out: in the order of the rows, without
    many gaps, or all over a range. Quantities, such as salaries, crowd around some value.
    """
    if (values != values.round()).any():
        return False
    steps, low, high = np.diff(values), values.min(), values.max()
    if (steps >= 0).all() or (steps <= 0).all() or high - low < 3 * len(values):
        return True
    return bool(kstest(values, "uniform", (low, high - low)).pvalue > 0.05)


def _correlated(subject: Subject) -> Iterator[tuple[str, str]]:
    """Pairs of columns of numbers, or of two values, whose values or ranks correlate."""
    table = subject.some.iloc[:, :_MOST_COLUMNS]
    columns = {}
    for name, column in table.items():
        if column.dtype == np.float64:
            columns[str(name)] = column.fillna(column.mean())
        elif column.nunique(dropna=False) == 2:
            columns[str(name)] = pd.Series(pd.factorize(column)[0], column.index, dtype="float64")
    columns = {name: values for name, values in columns.items() if values.nunique() > 1}
    if len(columns) < 2:
        return
    x = pd.DataFrame(columns).to_numpy(np.float64)
    strongest = np.maximum(
        np.abs(np.corrcoef(x, rowvar=False)),
        np.abs(np.corrcoef(rankdata(x, axis=0), rowvar=False)),
    )
    names = list(columns)
    for i, j in np.argwhere(np.triu(strongest >= COPY_CORRELATION, 1)):
        yield names[i], names[j]


def _same_categories(subject: Subject) -> Iterator[tuple[str, str]]:
    """Pairs of columns of text of which each value tells the other's."""
    codes = {}
    for name in subject.dataset.categorical[:_MOST_COLUMNS]:
        coded, values = pd.factorize(subject.some[name], use_na_sentinel=False)
        if 2 < len(values) < len(coded) / _ROWS_PER_VALUE:
            codes[name] = coded
    for one, two in combinations(codes, 2):
        a, b = codes[one], codes[two]
        # Copies have about as many values as their originals.
        if abs(int(a.max()) - int(b.max())) <= 1 and (
            min(association(a, b), association(b, a)) >= COPY_SHARE
        ):
            yield one, two


def _tells_nothing(rows: pd.Series, filled: int, n: int) -> str:
    """What makes a column with values useless; empty if nothing does."""
    # A value in all rows but so few is most of any of them, as counting all rows would take long.
    most = rows.dropna().iloc[: 2 * _FEWEST_OTHERS].mode()
    others = n - max(int((rows == most.iloc[0]).sum()), n - filled)
    if 0 < others < _FEWEST_OTHERS:
        return f"holds the same in all but {plural(others, 'row')}"
    if rows.dtype != np.float64:
        n_values = rows.nunique()
        if _FREE_TEXT * filled < n_values < _ID_SHARE * filled:
            return f"is text with {n_values} values in {filled} rows, most of which occur once"
    return ""


def _nearly_number(texts: pd.Series) -> str:
    """A value that shows that a column of text holds numbers; empty if it does not."""
    counts = texts.value_counts()
    matches = [bool(_QUANTITY.fullmatch(str(value).strip())) for value in counts.index]
    n_numbers = len({re.sub(r"[^\d.,]", "", str(v)) for v in counts.index[matches]})
    if n_numbers < _FEWEST_QUANTITIES:
        return ""
    if any(re.fullmatch(r"\s*0\d+\s*", str(value)) for value in counts.index):
        return ""  # codes, as the run says
    letters = {str(value).strip()[-1:] for value in counts.index[matches]}
    if len({letter for letter in letters if letter.isalpha()}) >= _FEWEST_LETTERS:
        return ""  # check letters of codes, as of identity numbers; of units there are few
    plain = [
        bool(re.fullmatch(r"[+-]?\d+(?:[.,]\d+)?", str(value).strip())) for value in counts.index
    ]
    if np.mean(matches) >= 0.9 or counts[plain].sum() >= len(texts) / 2:
        return str(counts.index[matches.index(True)])
    return ""


def _are_labels(name: str, values: np.ndarray, n_rows: int) -> bool:
    """Whether the distinct values of a column of numbers look like codes."""
    k = len(values)
    if k < 3 or k > n_rows / 10 or (values != values.round()).any() or values[0] < 0:
        return False
    if _NAMED_CODE.search(name.casefold()):
        return True
    gaps = np.diff(values)
    sparse = k >= 5 and 100 <= values[-1] < 100_000 and k < 0.05 * (values[-1] - values[0])
    # The values of a skewed quantity lie far apart at its upper end only.
    uneven = gaps.max() >= 10 * np.median(gaps) and gaps.argmax() < 0.7 * k
    return bool(sparse and uneven and _is_odd(values))


def _is_odd(values: Sequence[float] | np.ndarray) -> bool:
    """Whether whole numbers share no step, as rounded amounts do."""
    round_ones = np.mean([value % 5 == 0 for value in values])
    return bool(round_ones < 0.6)


def _is_far(value: float, others: pd.Series) -> bool:
    """Whether a number lies further beyond the others than they lie apart."""
    if others.nunique() < 2:
        return False
    low, high = float(others.min()), float(others.max())
    return value > high + (high - low) or value < low - (high - low)
