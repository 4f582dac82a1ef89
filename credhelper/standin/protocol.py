"""Requests parsed and answers built by the rules in botocore's own service models.

Routes, where each input member travels (path, query, header, body), what is required, and the shapes of
outputs and errors all come from the models, so that the stand-in cannot drift from what the clients of
the installed botocore send and expect.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from credhelper.standin.messages import Request, Response, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATIONS = {
    "sso-oidc": ("RegisterClient", "StartDeviceAuthorization", "CreateToken"),
    "sso": ("GetRoleCredentials", "ListAccounts", "ListAccountRoles", "Logout"),
    "sts": ("GetCallerIdentity",),
}

# Sent by the real services, named by no model.
UNMODELLED = {
    "ForbiddenException": 403,
    "TooManyRequestsException": 429,
    "InternalServerException": 500,
    "ExpiredToken": 403,
    "InvalidClientTokenId": 403,
    "SignatureDoesNotMatch": 403,
    "MissingAuthenticationToken": 403,
    "IncompleteSignature": 400,
    "Throttling": 400,
    "InvalidRequestException": 400,
}

_PORTAL_NAMESPACE = "com.amazonaws.switchboard.portal#"


@dataclass(frozen=True)
class Route:
    """One operation of one service.

    Attributes:
        service: `sso-oidc`, `sso` or `sts`.
        name: the operation's name, unique among all three.
    """

    service: str
    name: str
    model: OperationModel
    service_model: ServiceModel

    @property
    def is_query(self) -> bool:
        return self.service_model.protocol == "query"


@cache
def routes() -> Mapping[str, Route]:
    """All operations that the stand-in has, by name."""
    # Only the models inside botocore: by default the loader also looks into ~/.aws/models.
    loader = Loader([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    found = {}
    for service, names in OPERATIONS.items():
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        for name in names:
            found[name] = Route(service, name, model.operation_model(name), model)
    return found


def find_route(request: Request) -> Route | None:
    """The operation that a request is for, or None.

    Matches method, path (with `{labels}`) and the fixed query of the model's `requestUri`; in the query
    protocol the operation is the parameter `Action`.
    """
    for route in routes().values():
        if request.method != route.model.http["method"]:
            continue
        uri = urlsplit(route.model.http["requestUri"])
        if _labels(uri.path, request.path) is None:
            continue
        if dict(parse_qsl(uri.query)).items() - request.query.items():
            continue
        if "aws_iam" in request.query and "aws_iam" not in uri.query:
            continue  # CreateTokenWithIAM, which has CreateToken's path
        if route.is_query and request.form.get("Action") != route.name:
            continue
        return route
    return None


def parse_input(route: Route, request: Request) -> dict[str, Any]:
    """The operation's input as botocore names it.

    Raises:
        ServiceError: InvalidRequestException, where a required member is missing or a type is wrong.
    """
    shape = route.model.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    labels = _labels(urlsplit(route.model.http["requestUri"]).path, request.path) or {}
    body = {} if route.is_query else _json_body(shape, request)
    values: dict[str, Any] = {}
    for member, member_shape in shape.members.items():
        wire_name = member_shape.serialization.get("name", member)
        location = member_shape.serialization.get("location")
        raw: Any
        if route.is_query:
            raw = request.form.get(wire_name)
        elif location == "uri":
            raw = labels.get(wire_name)
        elif location == "querystring":
            raw = request.query.get(wire_name)
        elif location == "header":
            raw = request.header(wire_name) or None
        else:
            raw = body.get(wire_name)
        if raw is not None:
            as_text = route.is_query or location is not None
            values[member] = _checked(member, member_shape, raw, as_text=as_text)
    missing = [name for name in shape.required_members if not values.get(name)]
    if missing:
        raise ServiceError("InvalidRequestException", f"Missing required member: {', '.join(missing)}")
    return values


def body_text(request: Request, name: str) -> str:
    """A text member of a JSON body, or an empty string where there is no such thing."""
    try:
        value = json.loads(request.body)[name]
    except (ValueError, LookupError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


def render_output(route: Route, output: Mapping[str, Any]) -> Response:
    """The answer to a request that went well.

    Raises:
        LookupError, TypeError: the output is not of the model's shape: a bug of the stand-in.
    """
    shape = route.model.output_shape
    if shape is None:
        if output:
            raise LookupError(f"{route.name} has no output, yet was given {sorted(output)}")
        return Response(200)
    body = _built(route.name, shape, output)
    if not route.is_query:
        return Response(200, json.dumps(body).encode())
    wrapper = shape.serialization.get("resultWrapper", f"{route.name}Result")
    xml = _xml(wrapper, body) + f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    return Response(200, _document(route, f"{route.name}Response", xml), "text/xml")


def render_error(route: Route, error: ServiceError) -> Response:
    """The answer to a request that was refused, as the service in question writes it.

    Raises:
        LookupError: the code is neither in the service's model nor in `UNMODELLED`, and has no status.
    """
    shape = next((s for s in route.service_model.error_shapes if s.name == error.code), None)
    status = error.status or _modelled_status(shape) or UNMODELLED.get(error.code)
    if status is None:
        raise LookupError(f"{route.service} has no error named {error.code}")
    if route.is_query:
        code = shape.error_code if isinstance(shape, StructureShape) else error.code
        fault = "Sender" if status < 500 else "Receiver"
        xml = (
            f"<Error><Type>{fault}</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId>"
        )
        return Response(status, _document(route, "ErrorResponse", xml), "text/xml", error_code=code)
    members = shape.members if isinstance(shape, StructureShape) else {}
    body: dict[str, str] = {}
    if "error" in members:
        body["error"] = oauth_code(error.code)
        body["error_description"] = error.message
    else:
        body["message"] = error.message
        body["__type"] = _PORTAL_NAMESPACE + error.code if route.service == "sso" else error.code
    headers = (("x-amzn-ErrorType", error.code),)
    return Response(status, json.dumps(body).encode(), headers=headers, error_code=error.code)


def oauth_code(code: str) -> str:
    """The RFC 6749 name of an error: `invalid_grant` for `InvalidGrantException`."""
    if code == "InternalServerException":
        return "server_error"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", code.removesuffix("Exception")).lower()


def _modelled_status(shape: Shape | None) -> int | None:
    status = shape.metadata.get("error", {}).get("httpStatusCode") if shape else None
    return int(status) if status else None


def _labels(template: str, path: str) -> dict[str, str] | None:
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    match = re.fullmatch(pattern, path)
    return match.groupdict() if match else None


def _json_body(shape: StructureShape, request: Request) -> dict[str, Any]:
    if all(member.serialization.get("location") for member in shape.members.values()):
        return {}
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise ServiceError("InvalidRequestException", "The body is not JSON") from error
    if not isinstance(body, dict):
        raise ServiceError("InvalidRequestException", "The body is not a JSON object")
    return body


def _checked(name: str, shape: Shape, raw: Any, *, as_text: bool) -> Any:
    wrong = ServiceError("InvalidRequestException", f"Invalid value of {name}: expected {shape.type_name}")
    if shape.type_name == "integer":
        try:
            number = int(raw) if as_text else raw
        except ValueError:
            raise wrong from None
        if type(number) is not int:
            raise wrong
        low, high = shape.metadata.get("min", number), shape.metadata.get("max", number)
        if not low <= number <= high:
            raise ServiceError("InvalidRequestException", f"{name} must be between {low} and {high}")
        return number
    if isinstance(shape, ListShape):
        if not isinstance(raw, list):
            raise wrong
        return [_checked(name, shape.member, item, as_text=as_text) for item in raw]
    if shape.type_name != "string":
        raise NotImplementedError(f"{name}: inputs of type {shape.type_name}")
    if not isinstance(raw, str):
        raise wrong
    return raw


_PYTHON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
}


def _built(name: str, shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        unknown = set(value) - set(shape.members)
        if unknown:
            raise LookupError(f"{name} has no members {sorted(unknown)}")
        return {
            shape.members[key].serialization.get("name", key): _built(key, shape.members[key], item)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(shape, ListShape):
        return [_built(name, shape.member, item) for item in value]
    if not isinstance(value, _PYTHON_TYPES[shape.type_name]):
        raise TypeError(f"{name} must be {shape.type_name}, not {type(value).__name__}")
    return value


def _xml(tag: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = "".join(_xml(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(_xml("member", item) for item in value)
    else:
        inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>"


def _document(route: Route, root: str, inner: str) -> bytes:
    namespace = route.service_model.metadata["xmlNamespace"]
    return f'<{root} xmlns="{namespace}">{inner}</{root}>'.encode()
