from student_perf.plots.style import COLOURS, LINE_STYLES, new_figure, png, set_title, short


def test_long_names_keep_both_ends():
    assert short("short") == "short"
    name = short("share_of_homework_handed_in_week_12")
    assert len(name) == 24
    assert (name[:5], name[-7:]) == ("share", "week_12")
    assert short(3) == "3"


def test_a_png_is_what_matplotlib_saves(tmp_path):
    def figure():
        made = new_figure(3, 2)
        made.add_subplot().plot([1, 3, 2], label="line")
        set_title(made, "title", "n = 3 rows")
        return made

    file = tmp_path / "saved.png"
    figure().savefig(file, metadata={"Software": None})
    assert png(figure()) == file.read_bytes()


def test_titles_are_wrapped_to_the_figure():
    figure = new_figure(4, 3)
    set_title(figure, "word " * 30, "n = 5 rows")
    lines = figure.get_suptitle().splitlines()
    assert max(map(len, lines)) <= 48
    assert lines[-1] == "n = 5 rows"


def test_lines_differ_for_as_many_classes_as_there_are_colours():
    pairs = [(COLOURS[i], str(LINE_STYLES[i % len(LINE_STYLES)])) for i in range(len(COLOURS))]
    assert len(set(pairs)) == len(COLOURS) == 7


def test_a_name_is_never_mathematics():
    nasty = "$\\frac{x$"
    figure = new_figure(4, 3)
    axes = figure.add_subplot()
    axes.barh([nasty, "b"], [1, 1000], label=nasty)
    axes.set_xlabel(nasty)
    axes.legend()
    set_title(figure, nasty, nasty)
    assert png(figure).startswith(b"\x89PNG")
