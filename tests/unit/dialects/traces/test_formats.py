"""Is the format told from the first bytes, and the choice listed where it is not?"""

import pytest

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import TraceError


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023", "azure"),
        (b'{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []}\n', "mooncake"),
        (
            b'{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0, "input_length": 1, '
            b'"output_length": 1}\n',
            "bailian",
        ),
        (b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n", "burstgpt"),
        (b'{"kind":"intent","id":"a","at":1.0}\n', "records"),
        (b'{"resourceSpans":[{"resource"', "otel"),
        (b'[\n {"name": "x", "attributes": {}}', "otel"),
        (b"trace_id,agent,t_s,in_tokens,out_tokens\n", "agentic"),
        (b'"trace_id","t_s","in_tokens","out_tokens"\n', "agentic"),
        (b"run,arrival_s,input_tokens,output_tokens\n", "table"),
        (b"\xef\xbb\xbf\nTIMESTAMP,ContextTokens,GeneratedTokens\n", "azure"),
    ],
)
def test_detects(head: bytes, name: str) -> None:
    assert formats.detect(head, "f") == name


@pytest.mark.parametrize("head", [b"a,b,c\n1,2,3\n", b'{"hello": 1}\n', b"\x00\x01\x02", b"[1]"])
def test_unknown_lists_the_formats(head: bytes) -> None:
    with pytest.raises(TraceError) as caught:
        formats.detect(head, "f.csv")
    assert "f.csv:1" in str(caught.value)
    assert all(name in str(caught.value) for name in formats.FORMATS)


def test_empty() -> None:
    with pytest.raises(TraceError, match="f: the file is empty"):
        formats.detect(b" \n", "f")
