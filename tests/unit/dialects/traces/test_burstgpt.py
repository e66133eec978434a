"""Are both releases of BurstGPT read, and failed requests skipped and counted?"""

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally


def test_release_one_with_failures() -> None:
    lines = [
        b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n",
        b"5,ChatGPT,472,18,490,Conversation log\n",
        b"45,GPT-4,17,0,17,API log\n",
        b"46,GPT-4,0,0,0,API log\n",
        b"118.5,GPT-4,417,276,693,API log\n",
    ]
    tally = Tally()
    rows = list(formats.read("burstgpt", lines, "b.csv", tally))
    assert [(row.at_s, row.class_name, row.model) for row in rows] == [
        (0.0, "chat", "ChatGPT"),
        (113.5, "api", "GPT-4"),
    ]
    assert (tally.rows, tally.kept, tally.zero_output, tally.zero_input) == (4, 2, 1, 1)
    assert "longest silence is 114 s" in " ".join(tally.notes())


def test_release_two_has_sessions() -> None:
    lines = [
        b"Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,"
        b"Total tokens,Log Type\n",
        b"5,s-9,1.5,ChatGPT,472,18,490,Conversation log\n",
    ]
    assert next(formats.read("burstgpt", lines, "b.csv", Tally())).session == "s-9"
