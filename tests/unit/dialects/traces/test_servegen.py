"""Are client statistics read whole, in time order, and their faults told with file:line?"""

from pathlib import Path

import pytest

from flyball.dialects.traces import servegen
from flyball.dialects.traces.row import TraceError
from flyball.serve.load import tracefile

ARRIVALS = [
    b"model,client,t_s,rate,cv,pat,p1,p2\n",
    b"m,1,600,2.5,1.5,Weibull,0.7,0.3\n",
    b"m,1,0,0.5,2.0,Gamma,0.25,8.0\n",
    b"m,0,0,0.1,1.0,Gamma,1.0,10.0\n",
    b"n,0,0,0.1,1.0,Gamma,1.0,10.0\n",
]
COLUMNS = b"model,client,t_s,field,mean,std,q01,q05,q10,q25,q50,q75,q90,q95,q99,max\n"
ROWS = b"1,1,1,2,3,4,5,6,7,8,9,10\n"
LENGTHS = [
    COLUMNS,
    b"m,1,0,input_tokens," + ROWS,
    b"m,1,0,output_tokens,2,2,10,20,30,40,50,60,70,80,90,100\n",
    b"m,1,0,image_tokens," + ROWS,
    b"n,0,0,output_tokens," + ROWS,
]


def read(
    arrivals: list[bytes] = ARRIVALS, lengths: list[bytes] = LENGTHS, *models: str
) -> list[servegen.Client]:
    return servegen.read(arrivals, "a.csv", lengths, "l.csv", models)


def test_clients_have_their_windows_and_lengths_in_time_order() -> None:
    first, second = read(ARRIVALS, LENGTHS, "m")
    assert (first.number, second.number, first.lengths) == (0, 1, ())
    assert [one.begin_s for one in second.windows] == [0.0, 600.0]
    assert second.windows[1] == servegen.Window(
        begin_s=600.0, rate=2.5, cv=1.5, pattern="Weibull", shape=0.7
    )
    assert second.lengths[0].input_tokens == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert second.lengths[0].output_tokens[-1] == 100


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"m,2,0,0,1,Gamma,1,1\n", r"a\.csv:6: rate is '0', not a number above 0"),
        (b"m,2,0,nan,1,Gamma,1,1\n", "rate is 'nan'"),
        (b"m,2,0,1,inf,Gamma,1,1\n", "cv is 'inf'"),
        (b"m,2,0,1,1,Pareto,1,1\n", "pat is 'Pareto', neither Gamma nor Weibull"),
        (b"m,2,-5,1,1,Gamma,1,1\n", "t_s is '-5'"),
        (b"m,x,0,1,1,Gamma,1,1\n", "client is 'x'"),
        (b"m,1,300,1,1,Gamma,1,1\n", "windows of client 1 of m overlap at 300 s"),
        (b"m,2,0,1\n", "the row has 4 cells"),
    ],
)
def test_faults_of_arrivals_name_their_place(line: bytes, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read([*ARRIVALS, line], LENGTHS, "m")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"m,2,0,input_tokens,1,1,9,2,3,4,5,6,7,8,9,10\n", r"l\.csv:6: its quantiles fall"),
        (b"m,2,0,input_tokens,1,1,x,2,3,4,5,6,7,8,9,10\n", "q01 is 'x'"),
    ],
)
def test_faults_of_lengths_name_their_place(line: bytes, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read(ARRIVALS, [*LENGTHS, line], "m")


def test_what_is_missing_is_told() -> None:
    with pytest.raises(TraceError, match="no client of n has input_tokens and output_tokens"):
        read()
    with pytest.raises(TraceError, match="no client of 'x'"):
        read(ARRIVALS, LENGTHS, "x")
    with pytest.raises(TraceError, match="no window is in it"):
        read(ARRIVALS[:1])
    with pytest.raises(TraceError, match="no column pat"):
        read([b"model,client,t_s,rate,cv,p1\n"])


def test_the_published_weeks(real_data: Path) -> None:
    folder = real_data / "servegen_clients"
    tables = [folder / "arrivals.parquet", folder / "lengths.parquet"]
    texts = [part for file in tables for part in (tracefile.lines(file), file.name)]
    clients = servegen.read(*texts, ("m-large", "m-small"))  # type: ignore[arg-type]
    assert [sum(one.model == name for one in clients) for name in ("m-large", "m-small")] == [
        162,
        43,
    ]
    calls = sum(one.rate for client in clients for one in client.windows) * servegen.WINDOW_S
    assert calls == pytest.approx(1.657e9, rel=0.001)
    assert sum(bool(one.lengths) for one in clients) == 147 + 38
    assert max(window.begin_s for one in clients for window in one.windows) == 1_209_000
