"""Do faults name their place, their order and a likely word?"""

from flyball.serve.config.errors import ConfigError, ConfigErrors, count, did_you_mean, listed


def fault(line: int, severity: str = "error") -> ConfigError:
    return ConfigError(
        line=line,
        col=3,
        source="f.yaml",
        path="listen.port",
        message="is odd",
        next_step="Mend it.",
        severity=severity,  # type: ignore[arg-type]
    )


def test_a_fault_is_told_with_file_line_column_path_and_next_step() -> None:
    assert str(fault(7)) == "f.yaml:7:3: error: listen.port: is odd\n    Mend it."


def test_a_fault_from_the_environment_names_the_variable() -> None:
    one = ConfigError(source="FLYBALL__X", path="x", message="m", next_step="n")
    assert one.place == "FLYBALL__X"


def test_faults_come_in_the_order_of_the_file_with_a_tally() -> None:
    errors = ConfigErrors([fault(9, "warning"), fault(2)])
    assert [error.line for error in errors.errors] == [2, 9]
    assert str(errors).endswith("1 error, 1 warning")


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert did_you_mean("no", ["NO", "EU"]) == "Did you mean 'NO'? "
    assert did_you_mean("zzzz", ["NO", "EU"]) == ""


def test_lists_are_cut() -> None:
    assert listed([]) == "(none)"
    assert listed("abcd", most=2) == "'a', 'b' and 2 more"


def test_plurals() -> None:
    assert [count(1, "class"), count(2, "class"), count(0, "error")] == [
        "1 class",
        "2 classes",
        "0 errors",
    ]
