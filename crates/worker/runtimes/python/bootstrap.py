"""The Python runtime of Dunlin: asks the Runtime API for events and hands them to the function's handler.

A cold start waits for this file, so it imports next to nothing: the HTTP client is a raw socket, JSON goes through the
C accelerator, and `json`, `logging` and `traceback` are loaded only once somebody needs them.
"""

import os
import sys
import time

import _json
import _socket

environ = os.environ


class Fault(Exception):
    """A failure with a name of the platform instead of an exception type."""

    def __init__(self, kind, message, trace=None):
        self.kind = kind
        self.message = message
        self.trace = trace


# --- Runtime API -----------------------------------------------------------------------------------------------------


class Api:
    """One connection, kept open, to the Runtime API."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.peer = (host, int(port))
        self.fixed = (
            " HTTP/1.1\r\nHost: %s\r\nUser-Agent: aws-lambda-python/%d.%d.%d-dunlin\r\n"
            % ((address,) + sys.version_info[:3])
        )
        self.sock = None
        self.rest = b""

    def connect(self):
        self.sock = sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
        sock.connect(self.peer)
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.rest = b""

    def call(self, head, body):
        if self.sock is None:
            self.connect()
        if len(body) < 65536:
            self.sock.sendall(head + body)
        else:
            self.sock.sendall(head)
            self.sock.sendall(body)
        return self.read()

    def read(self):
        data = self.rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            data += self.receive(65536)
            end = data.find(b"\r\n\r\n")
        lines = data[:end].split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        missing = int(headers.get(b"content-length", b"0")) - (len(data) - end - 4)
        if missing > 0:
            parts = [data[end + 4 :]]
            while missing > 0:
                part = self.receive(min(missing, 1 << 20))
                parts.append(part)
                missing -= len(part)
            body = b"".join(parts)
            self.rest = b""
        else:
            stop = len(data) + missing
            body = data[end + 4 : stop]
            self.rest = data[stop:]
        return int(lines[0].split(b" ", 2)[1]), headers, body

    def receive(self, most):
        part = self.sock.recv(most)
        if not part:
            raise ConnectionError("the runtime api closed the connection")
        return part

    def next(self):
        head = ("GET /2018-06-01/runtime/invocation/next" + self.fixed + "\r\n").encode()
        try:
            status, headers, body = self.call(head, b"")
        except OSError:
            # The one call that may be repeated: nothing was handed over yet.
            self.sock = None
            status, headers, body = self.call(head, b"")
        if status != 200:
            raise ConnectionError("no invocation: status %d" % status)
        return headers, body

    def post(self, path, body, content_type, extra=""):
        head = "POST /2018-06-01/runtime/%s%sContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (
            path,
            self.fixed,
            content_type,
            len(body),
            extra,
        )
        return self.call(head.encode(), body)[0]


# --- JSON ------------------------------------------------------------------------------------------------------------


class _Scan:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "-Infinity": float("-inf"),
        "Infinity": float("inf"),
        "NaN": float("nan"),
    }.__getitem__


_scan = _json.make_scanner(_Scan)


def loads(data):
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    stripped = text.strip(" \t\n\r")
    try:
        value, end = _scan(stripped, 0)
        if end == len(stripped):
            return value
    except Exception:
        pass
    # Not JSON: the full decoder says why.
    import json

    return json.loads(text)


class _Raw(str):
    """Text that is JSON already."""


# Set by `set_up_process`: a process that was forked has its variables only then.
_quote = _json.encode_basestring_ascii


class _Decimals(Exception):
    pass


def _is_decimal(value):
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


def _unknown(value):
    if _is_decimal(value):
        raise _Decimals
    raise TypeError("Object of type %s is not JSON serializable" % value.__class__.__name__)


def _number(value):
    if _is_decimal(value):
        return float("nan") if value.is_nan() else _Raw(value)
    return _unknown(value)


def _quote_or_raw(text):
    return str(text) if type(text) is _Raw else _quote(text)


def dumps(value):
    try:
        encode = _json.make_encoder({}, _unknown, _quote, None, ": ", ", ", False, False, True)
        return "".join(encode(value, 0))
    except _Decimals:
        encode = _json.make_encoder({}, _number, _quote_or_raw, None, ": ", ", ", False, False, True)
        return "".join(encode(value, 0))


# --- Logging ---------------------------------------------------------------------------------------------------------

current_request = None
current_tenant = None
_json_logs = False


def set_up_logging(logging):
    """Gives the root logger the platform's handler, as soon as anybody imports `logging`."""
    level = environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level

    class PlatformHandler(logging.Handler):
        log_sink = sys.modules[__name__]

        def emit(self, record):
            log(self.format(record))

    class RequestFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = current_request or ""
            record.tenant_id = current_tenant
            return True

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            return json_record(logging, self, record)

    logging.Formatter.converter = time.gmtime
    handler = PlatformHandler()
    if _json_logs:
        handler.setFormatter(JsonFormatter(datefmt="%Y-%m-%dT%H:%M:%SZ"))
    else:
        handler.setFormatter(
            logging.Formatter(
                "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                "%Y-%m-%dT%H:%M:%S",
            )
        )
    handler.addFilter(RequestFilter())
    root = logging.getLogger()
    if level in logging._nameToLevel:
        root.setLevel(level)
    root.addHandler(handler)


_RECORD_FIELDS = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno funcName created msecs "
    "relativeCreated thread threadName processName process taskName aws_request_id tenant_id".split()
)


def json_record(logging, formatter, record):
    import json

    level = min(50, max(0, record.levelno)) // 10 * 10
    plain = isinstance(record.msg, dict) and not record.args
    fields = {
        "timestamp": formatter.formatTime(record, formatter.datefmt),
        "level": logging.getLevelName(level),
        "message": record.msg if plain else record.getMessage(),
        "logger": record.name,
    }
    if record.exc_info:
        import traceback

        kind, value, trace = record.exc_info
        fields["stackTrace"] = traceback.format_tb(trace)
        fields["errorType"] = kind.__name__ if kind else None
        fields["errorMessage"] = str(value)
        fields["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
    fields["requestId"] = record.aws_request_id
    fields["tenantId"] = record.tenant_id
    for name, value in record.__dict__.items():
        if name not in _RECORD_FIELDS and name not in fields:
            fields[name] = value
    fields = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(fields, ensure_ascii=False, default=str) + "\n"


def log(text):
    """What `LambdaContext.log` and handlers write to: each text is a record, and ends a line."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


class LoggingWatch:
    """Finds no module itself; notices when `logging` is loaded and steps aside for ever."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                load = spec.loader.exec_module

                def exec_module(module):
                    load(module)
                    set_up_logging(module)

                spec.loader.exec_module = exec_module
                return spec
        return None


def log_error(document):
    if _json_logs:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stdout.write(dumps({"timestamp": stamp, "level": "ERROR", **document}) + "\n")
        return
    first = "[ERROR]"
    if document["errorType"]:
        first += " " + document["errorType"] + (":" if document["errorMessage"] else "")
    if document["errorMessage"]:
        first += " " + document["errorMessage"]
    lines = [first, "Traceback (most recent call last):"]
    for element in document["stackTrace"]:
        for line in element.splitlines() or [""]:
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    # One record: carriage returns keep its lines together, no-break spaces keep its indentation.
    sys.stdout.write("\r".join(lines) + "\n")


# --- Errors ----------------------------------------------------------------------------------------------------------


def error_document(message, kind, trace, request_id):
    return {
        "errorMessage": message or "",
        "errorType": kind or "",
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


# As in tracebacks; `__file__` is where the compiled form lies.
_OWN_FILE = error_document.__code__.co_filename


def exception_frames():
    import traceback

    kind, value, trace = sys.exc_info()
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(trace)]
    for i, frame in enumerate(frames):
        if frame[0] != _OWN_FILE:
            frames = frames[i:]
            break
    return kind.__name__, str(value), frames, traceback.format_list(frames)


def xray_cause(kind, message, frames):
    return {
        "working_directory": os.getcwd(),
        "exceptions": [
            {
                "message": message,
                "type": kind,
                "stack": [{"label": f[2], "path": f[0], "line": f[1]} for f in frames],
            }
        ],
        "paths": list({f[0] for f in frames}),
    }


# --- Context ---------------------------------------------------------------------------------------------------------


def _members(cls, values):
    made = cls()
    for name in cls.__slots__:
        setattr(made, name, values.get(name))
    return made


class _Printable:
    __slots__ = ()

    def __repr__(self):
        members = ",".join("%s=%s" % (n, getattr(self, n)) for n in self.__slots__)
        return "%s([%s])" % (self.__class__.__name__, members)


class CognitoIdentity(_Printable):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Printable):
    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Printable):
    __slots__ = ("custom", "env", "client")


def _parsed(header, name):
    if not header:
        return None
    try:
        return loads(header)
    except Exception as error:
        raise Fault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)
        )


class LambdaContext:
    def __init__(self, headers):
        text = lambda name: headers[name].decode("utf-8") if name in headers else None
        self.aws_request_id = text(b"lambda-runtime-aws-request-id")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = text(b"lambda-runtime-invoked-function-arn")
        self.tenant_id = text(b"lambda-runtime-aws-tenant-id")
        client = _parsed(headers.get(b"lambda-runtime-client-context"), "Client Context")
        cognito = _parsed(headers.get(b"lambda-runtime-cognito-identity"), "Cognito Identity")
        self._w3c = self._take_w3c(client)
        self.client_context = None
        if client is not None:
            self.client_context = _members(ClientContext, client)
            if self.client_context.client is not None:
                self.client_context.client = _members(Client, self.client_context.client)
        self.identity = _members(CognitoIdentity, {})
        if cognito is not None:
            self.identity.cognito_identity_id = cognito.get("cognitoIdentityId")
            self.identity.cognito_identity_pool_id = cognito.get("cognitoIdentityPoolId")
        self._deadline_ms = int(headers[b"lambda-runtime-deadline-ms"])

    @staticmethod
    def _take_w3c(client):
        fields = client.pop("w3c", None) if isinstance(client, dict) else None
        if not isinstance(fields, dict):
            return {}
        known = ("traceparent", "tracestate", "baggage")
        return {name: fields[name] for name in known if isinstance(fields.get(name), str)}

    def w3c(self):
        return dict(self._w3c)

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        log(str(message))

    def __repr__(self):
        names = (
            "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb function_version "
            "invoked_function_arn client_context identity tenant_id"
        ).split()
        members = ",".join("%s=%s" % (n, getattr(self, n)) for n in names)
        return "LambdaContext([%s])" % members


# --- The loop --------------------------------------------------------------------------------------------------------


def set_up_process():
    global _quote, _json_logs
    ascii_only = environ.get("AWS_EXECUTION_ENV") not in (
        "AWS_Lambda_python3.12",
        "AWS_Lambda_python3.13",
        "AWS_Lambda_python3.14",
        "AWS_Lambda_python3.15",
    )
    _quote = _json.encode_basestring_ascii if ascii_only else _json.encode_basestring
    _json_logs = environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    sys.path[:] = search_path()
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True)
    # The interpreter runs without `site`, which is slow and knows the host's packages; this is what code expects of it.
    import builtins

    import _sitebuiltins

    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()
    sys.meta_path.insert(0, LoggingWatch())


def search_path():
    """The code, the layers, what the owner added, the standard library; nothing else of the host."""
    version = "python%d.%d" % sys.version_info[:2]
    root = environ.get("LAMBDA_TASK_ROOT", "/var/task")
    first = [root, "/opt/python/lib/%s/site-packages" % version, "/opt/python"]
    here = os.path.dirname(__file__)
    return first + [entry for entry in sys.path if entry not in first and entry not in ("", here)]


def load_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name,
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module_name,
        )
    dotted = module_name.replace("/", ".")
    try:
        __import__(dotted)
        module = sys.modules[dotted]
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error)
        )
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            trace,
        )
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound",
            "Handler '%s' missing on module '%s'" % (function_name, module_name),
        )


def initialise(api):
    try:
        return load_handler(environ.get("_HANDLER", ""))
    except Fault as fault:
        document = error_document(fault.message, fault.kind, fault.trace, None)
    except Exception:
        kind, message, _, trace = exception_frames()
        document = error_document(message, kind, trace, None)
    log_error(document)
    sys.stdout.flush()
    extra = "Lambda-Runtime-Function-Error-Type: %s\r\n" % document["errorType"]
    api.post("init/error", dumps(document).encode("utf-8"), "application/json", extra)
    sys.exit(1)


def marshal(result):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return dumps(result).encode("utf-8"), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)


def unmarshal(body):
    try:
        return loads(body)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error)


def handle(handler, headers, body):
    """Runs the handler; answers the path of the reply, its body, its content type, and the cause of an error."""
    request_id = current_request
    try:
        context = LambdaContext(headers)
        result, content_type = marshal(handler(unmarshal(body), context))
        return "response", result, content_type, ""
    except Fault as fault:
        document = error_document(fault.message, fault.kind, fault.trace, request_id)
        cause = xray_cause("LambdaValidationError", fault.message, [])
    except Exception:
        kind, message, frames, trace = exception_frames()
        document = error_document(message, kind, trace, request_id)
        cause = xray_cause(kind, message, frames)
    log_error(document)
    header = dumps_ascii(cause)
    extra = "" if len(header) > 1 << 20 else "Lambda-Runtime-Function-XRay-Error-Cause: %s\r\n" % header
    return "error", dumps(document).encode("utf-8"), "application/json", extra


def dumps_ascii(value):
    encode = _json.make_encoder(
        {}, _unknown, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True
    )
    return "".join(encode(value, 0))


def main():
    global current_request, current_tenant
    set_up_process()
    api = Api(environ["AWS_LAMBDA_RUNTIME_API"])
    handler = initialise(api)
    while True:
        headers, body = api.next()
        current_request = headers[b"lambda-runtime-aws-request-id"].decode()
        tenant = headers.get(b"lambda-runtime-aws-tenant-id")
        current_tenant = tenant.decode() if tenant else None
        trace = headers.get(b"lambda-runtime-trace-id")
        if trace:
            environ["_X_AMZN_TRACE_ID"] = trace.decode()
        else:
            environ.pop("_X_AMZN_TRACE_ID", None)
        end, reply, content_type, extra = handle(handler, headers, body)
        attempt = headers.get(b"lambda-runtime-invocation-id")
        if attempt:
            extra += "Lambda-Runtime-Invocation-Id: %s\r\n" % attempt.decode()
        sys.stdout.flush()
        sys.stderr.flush()
        api.post("invocation/%s/%s" % (current_request, end), reply, content_type, extra)


if __name__ == "__main__":
    if sys.argv[1:] == ["--zygote"]:
        import zygote

        zygote.serve()
    main()
