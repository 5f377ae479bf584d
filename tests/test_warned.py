import warnings

import pytest

from student_perf.warned import warnings_kept


def test_no_warning_is_an_error_within_and_the_filters_come_back():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with warnings_kept(), pytest.warns(FutureWarning, match="old"):
            warnings.warn("old", FutureWarning, stacklevel=1)
        with pytest.raises(FutureWarning):
            warnings.warn("old", FutureWarning, stacklevel=1)


def test_filters_that_make_no_errors_stay_as_they_are():
    with warnings.catch_warnings():
        warnings.resetwarnings()  # those of pytest make errors
        warnings.simplefilter("ignore")
        before = warnings.filters[:]
        with warnings_kept():
            assert warnings.filters == before
