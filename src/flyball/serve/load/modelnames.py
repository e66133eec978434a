"""Which models does an OpenAI-compatible server list?"""

import http.client
import ssl

import msgspec

from flyball.serve.load.wire import origin

_ANSWER_BYTES_MAX = 4 * 1024 * 1024


class _Model(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    data: list[_Model]


def first(url: str, api_key: str = "", timeout_s: float = 10.0) -> str:
    """The first model of `GET /v1/models`.

    Raises ValueError, with the next step, if nothing answers, the answer is no list of models, or
    the list is empty.
    """
    where = origin(url)
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    if where.tls:
        link = http.client.HTTPSConnection(
            where.host, where.port, timeout=timeout_s, context=ssl.create_default_context()
        )
    else:
        link = http.client.HTTPConnection(where.host, where.port, timeout=timeout_s)
    try:
        link.request("GET", f"{where.base}/v1/models", headers=headers)
        answer = link.getresponse()
        body = answer.read(_ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        raise ValueError(
            f"{url} does not answer ({error}). Start it (`flyball serve`), or correct --url."
        ) from None
    finally:
        link.close()
    if answer.status != 200:
        raise ValueError(
            f"{url}/v1/models answers {answer.status}. "
            "Give --api-key if it asks for one, or --model."
        )
    try:
        models = msgspec.json.decode(body, type=_List).data
    except msgspec.DecodeError as error:
        raise ValueError(f"{url}/v1/models is no list of models ({error}). Give --model.") from None
    if not models:
        raise ValueError(f"{url} serves no model. Add one to the fleet, or give --model.")
    return models[0].id
