"""What the server's paths take and give, for OpenAPI; see `server.create_app`."""

from typing import Any

__all__ = ["INVOCATIONS", "REFUSALS"]

_PICTURE = {"type": "string", "description": "A picture's file in base64."}
_ROW = {"type": "object", "required": ["image"], "properties": {"image": _PICTURE}}
_ANSWER = {
    "type": "object",
    "description": "One picture's answer. Beside these there is probability_<class> for each class.",
    "properties": {
        "label": {"type": "string", "description": "The likeliest class; empty if the picture cannot be used."},
        "probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "known": {"type": ["boolean", "null"], "description": "Whether it is like a training image."},
        "strangeness": {"type": ["number", "null"], "minimum": 0, "description": "Above 1 it is not known."},
        "error": {"type": "string", "description": "Why the picture cannot be used; else empty."},
    },
}
_MODEL = {"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}}}
_PREDICTIONS = {
    "type": "object",
    "properties": {"predictions": {"type": "array", "items": _ANSWER}, "model": _MODEL},
}

INVOCATIONS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {
                            "type": "object",
                            "required": ["dataframe_records"],
                            "properties": {"dataframe_records": {"type": "array", "items": _ROW}},
                        },
                        {
                            "type": "object",
                            "required": ["instances"],
                            "properties": {"instances": {"type": "array", "items": {"oneOf": [_PICTURE, _ROW]}}},
                        },
                        {
                            "type": "object",
                            "required": ["inputs"],
                            "properties": {"inputs": {"type": "array", "items": {"oneOf": [_PICTURE, _ROW]}}},
                        },
                        {"type": "object", "required": ["dataframe_split"]},
                    ]
                }
            }
        },
    },
    "responses": {
        "200": {"description": "A row per picture.", "content": {"application/json": {"schema": _PREDICTIONS}}}
    },
}
"""The body and the answer of POST /invocations."""

_ERROR = {"type": "object", "properties": {"error": {"type": "string", "description": "What happened, and the mend."}}}

_BODY: dict[str, Any] = {"content": {"application/json": {"schema": _ERROR}}}

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be read.", **_BODY},
    408: {"description": "The client was silent for too long.", **_BODY},
    413: {"description": "The request is larger than the server takes.", **_BODY},
    415: {"description": "The body is not JSON.", **_BODY},
    500: {"description": "The model failed on this request.", **_BODY},
    503: {
        "description": "The server is starting or stopping, or has too many other requests: see Retry-After.",
        **_BODY,
    },
    504: {"description": "There was no answer in time.", **_BODY},
}
"""What POST /invocations says where it does not answer."""
