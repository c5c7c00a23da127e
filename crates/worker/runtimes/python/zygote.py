"""A Python that has started already, and becomes functions by forking.

An interpreter takes ten times as long to start as to fork. So one of them starts ahead, with the bootstrap and what almost
every function imports, and waits on its standard input for orders of the process that makes sandboxes. For each it forks
twice: the first child enters the sandbox's control groups and namespaces, the second lives on there under the sandbox's own
init. It takes its limits, gives up every right, and goes on as a Python that was started inside would.

No code of a function ever runs in the process that forks, and it knows nothing of any of them.

Orders and answers are packets of JSON with descriptors beside them; both ends belong to one build of Dunlin.
"""

import _socket
import ctypes
import gc
import os
import signal
import sys
import time

# What almost every function imports, and what AWS's own runtime has imported before the function.
import base64  # noqa: F401
import collections  # noqa: F401
import datetime  # noqa: F401
import decimal  # noqa: F401
import enum  # noqa: F401
import functools  # noqa: F401
import json  # noqa: F401
import re  # noqa: F401
import traceback  # noqa: F401
import types  # noqa: F401
import typing  # noqa: F401

_MESSAGE_MAX = 128 << 10
_FDS_MAX = 24

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWPID = 0x20000000
_CAPABILITY_VERSION_3 = 0x20080522
# The same number on every architecture.
_SYS_LANDLOCK_RESTRICT_SELF = 446
_RLIMITS = {"core": 4, "nproc": 6, "nofile": 7}
_EINVAL = 22

_libc = ctypes.CDLL(None, use_errno=True)


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _checked(result, step):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (step, os.strerror(number)))
    return result


def _prctl(step, *arguments):
    padded = (arguments + (0, 0, 0, 0))[:5]
    return _checked(_libc.prctl(ctypes.c_int(padded[0]), *map(ctypes.c_ulong, padded[1:])), step)


def _receive(sock):
    """A packet and its descriptors; nothing at all when the other end is closed."""
    data, ancillary, flags, _ = sock.recvmsg(_MESSAGE_MAX, _socket.CMSG_SPACE(4 * _FDS_MAX), _socket.MSG_CMSG_CLOEXEC)
    fds = []
    for level, kind, content in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            whole = len(content) - len(content) % 4
            fds.extend(int.from_bytes(content[i : i + 4], sys.byteorder) for i in range(0, whole, 4))
    if flags & (_socket.MSG_TRUNC | _socket.MSG_CTRUNC):
        raise OSError("a message was cut off")
    return data, fds


def _say(sock, document):
    sock.send(json.dumps(document).encode())


class _Zygote:
    """The process that forks."""

    def __init__(self):
        # The socket came as standard input; a function must find nothing there.
        self.orders = _socket.socket(fileno=os.dup(0))
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        document, _ = _receive(self.orders)
        document = json.loads(document)
        self.user = document["user"]
        self.drop_groups = document["drop_groups"]
        self.filters = []
        for words in document["filters"]:
            text = b"".join(word.to_bytes(8, sys.byteorder) for word in words)
            kept = ctypes.create_string_buffer(text, len(text))
            self.filters.append((kept, _FilterProgram(len(words), ctypes.addressof(kept))))
        # A function's process waits for its own children.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        # What is here now is looked at by no collection of a child, whose memory would have to be copied for it.
        gc.collect()
        gc.freeze()

    def serve(self):
        """Forks until the other end is closed, and returns in each function's process."""
        _say(self.orders, {"ready": os.getpid()})
        while True:
            data, fds = _receive(self.orders)
            if not data:
                os._exit(0)
            order = json.loads(data)
            try:
                if self._fork(order["namespaces"], fds):
                    return
            except OSError as error:
                # The sandbox may be gone already. Whoever waits sees the end of the channel.
                os.write(2, ("a zygote cannot fork: %s\n" % error).encode())
            for fd in fds:
                os.close(fd)

    def _fork(self, namespaces, fds):
        """Answers whether this is the function's process."""
        init, channel, *groups = fds
        # For children only: born among the sandbox's processes, the first one leaves the second to the sandbox's init.
        _checked(_libc.setns(init, _CLONE_NEWPID), "enter the processes")
        if os.fork() != 0:
            return False
        try:
            self.orders.close()
            for group in groups:
                os.write(group, b"0")
            _checked(_libc.setns(init, namespaces & ~_CLONE_NEWPID), "enter the namespaces")
            if os.fork() != 0:
                os._exit(0)
        except BaseException as error:
            self._lament(error)
        self._settle(channel)
        return True

    def _settle(self, channel):
        """In the function's process: takes its place in the sandbox, or ends. It may wait there for its function."""
        try:
            os.setsid()
            for number in range(1, signal.NSIG):
                try:
                    if signal.getsignal(number) == signal.SIG_IGN:
                        signal.signal(number, signal.SIG_DFL)
                except (OSError, ValueError):
                    pass
            # As an interpreter sets them that starts.
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            os.umask(0o022)
            self._give_up_rights()
            # Its number here: the init, which has become its parent, knows it by that.
            sock = _socket.socket(fileno=os.dup(channel))
            _say(sock, {"pid": os.getpid()})
            data, fds = _receive(sock)
            if not data:
                os._exit(0)
            orders = json.loads(data)
            log, *landlock = fds
            os.dup2(log, 1)
            os.dup2(log, 2)
            for name, most in orders["limits"].items():
                _limit(_RLIMITS[name], most)
            for ruleset in landlock:
                number = ctypes.c_long(_SYS_LANDLOCK_RESTRICT_SELF)
                _checked(_libc.syscall(number, ctypes.c_int(ruleset), ctypes.c_uint32(0)), "landlock")
            # A process that was started anew could be looked at by its own user; so can this one.
            _prctl("show the process to its user", _PR_SET_DUMPABLE, 1)
            os.chdir(orders["cwd"])
            sock.send(b'{"settled":true}')
            sock.close()
            os.closerange(3, 1024)
            _become(orders)
        except BaseException as error:
            self._lament(error)

    def _give_up_rights(self):
        """The order matters: what a step needs, a later one gives up. Every other process inside has no more."""
        if self.drop_groups:
            os.setgroups([])
        os.setresgid(self.user, self.user, self.user)
        os.setresuid(self.user, self.user, self.user)
        _prctl("drop ambient capabilities", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        for capability in range(64):
            dropped = _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), *[ctypes.c_ulong(0)] * 3)
            if dropped == -1:
                if ctypes.get_errno() == _EINVAL:
                    break
                _checked(-1, "drop capabilities from the bounding set")
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "drop capabilities")
        _prctl("no_new_privs", _PR_SET_NO_NEW_PRIVS, 1)
        for _, program in self.filters:
            _prctl("system call filter", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))

    @staticmethod
    def _lament(error):
        # To the node's log; whoever waits for this process sees the end of its channel.
        try:
            os.write(2, ("a fork of a zygote failed: %s\n" % error).encode())
        finally:
            os._exit(70)


def _limit(resource, most):
    pair = ctypes.c_uint64 * 2
    now = pair()
    _checked(_libc.getrlimit(ctypes.c_int(resource), now), "resource limits")
    # A limit that is lower already cannot be raised again, and holds.
    most = min(most, now[1])
    _checked(_libc.setrlimit(ctypes.c_int(resource), pair(most, most)), "resource limits")


def _become(orders):
    """Makes this the interpreter that would have been started with these variables."""
    environ = os.environ
    added = _search_path(environ.get("PYTHONPATH"))
    # The interpreter sets it itself if the locale says nothing better.
    locale = environ.get("LC_CTYPE")
    environ.clear()
    if locale is not None:
        environ["LC_CTYPE"] = locale
    environ.update(orders["env"])
    own = _search_path(environ.get("PYTHONPATH"))
    # After the directory of the program, as an interpreter puts it.
    sys.path[1 : 1 + len(added)] = own
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _reopen(number, name)
    sys.argv[1:] = []
    if hasattr(sys, "orig_argv"):
        sys.orig_argv.pop()
    time.tzset()
    # Nobody inside needs what could fork it once more.
    del sys.modules[__name__]


def _reopen(number, name):
    """A stream knows from its start whether what is behind it can seek."""
    old = getattr(sys, name)
    new = open(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)
    new.buffer.raw.name = old.name
    new.mode = old.mode
    setattr(sys, name, new)
    setattr(sys, "__%s__" % name, new)


def _search_path(text):
    return text.split(":") if text else []


def serve():
    """Returns in the process of each function, and in no other."""
    zygote = _Zygote()
    zygote.serve()
