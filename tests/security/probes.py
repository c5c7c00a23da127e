"""Attempts to get out of an execution environment, or to take more than one's share of the machine.

Each probe is told about the world around it in `world` and answers with evidence if it succeeded, `None` if not. The same
file is a function (`handler`), and a program that runs one probe without any walls:

    python probes.py NAME '{"secret": "/path"}'
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

PROBES = {}
# What only code with a network policy could do at all; run with the policies of tests/test_network.py.
NETWORK_PROBES = {}
LIBC = ctypes.CDLL(None, use_errno=True)


def probe(function):
    PROBES[function.__name__] = function
    return function


def network_probe(function):
    NETWORK_PROBES[function.__name__] = function
    return function


def call(number, *arguments):
    """A system call by its number; answers what it answered, raises what it refused."""
    ctypes.set_errno(0)
    answer = LIBC.syscall(number, *arguments)
    if answer == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def libc(name, *arguments):
    ctypes.set_errno(0)
    answer = getattr(LIBC, name)(*arguments)
    if answer == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def writable(directory):
    try:
        handle, path = tempfile.mkstemp(dir=directory)
    except OSError:
        return None
    os.close(handle)
    os.unlink(path)
    return f"wrote to {directory}"


def readable(path, limit=200):
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode(errors="replace") or None
    except OSError:
        return None


def in_child(attempt):
    """Runs an attempt that may end its process; answers its evidence."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            evidence = attempt()
            os.write(write, json.dumps(evidence).encode()[:4000])
        except BaseException:
            pass
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        told = file.read()
    os.waitpid(pid, 0)
    return json.loads(told) if told else None


# Files


@probe
def read_a_file_of_the_host(world):
    return readable(world["secret"])


@probe
def read_it_through_the_root_of_another_process(world):
    for pid in ("1", str(os.getppid()), str(world["victim"])):
        found = readable(f"/proc/{pid}/root{world['secret']}")
        if found:
            return f"{pid}: {found}"
    return None


@probe
def read_the_passwords_of_the_host(world):
    text = readable("/etc/shadow", 4000) or ""
    return text[:40] if ":" in text else None


@probe
def list_the_data_of_the_node(world):
    try:
        return os.listdir(world["data"]) or None
    except OSError:
        return None


@probe
def list_the_home_of_root(world):
    try:
        return os.listdir("/root")[:3] or None
    except OSError:
        return None


@probe
def write_to_the_code(world):
    return writable(world.get("code", "/var/task"))


@probe
def write_to_the_runtime(world):
    return writable(world.get("runtime", "/var/runtime"))


@probe
def write_anywhere_but_tmp(world):
    places = ["/", "/bin", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/root", "/run", "/srv", "/sys", "/usr", "/var", "/var/tmp"]
    return next(filter(None, map(writable, places)), None)


@probe
def climb_out_by_a_directory_above_the_root(world):
    path = "/proc/self/cwd/" + "../" * 40 + world["secret"].lstrip("/")
    return readable(path)


@probe
def open_by_a_handle(world):
    """CVE-2014-3519, `shocker`: a handle of the host's file system opens anything on it."""
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.cast(handle, ctypes.POINTER(ctypes.c_uint))[0] = 128
    mount = ctypes.c_int()
    path = world.get("handle", "/usr").encode()
    libc("name_to_handle_at", -100, path, handle, ctypes.byref(mount), 0)
    at = os.open(world.get("handle", "/usr"), os.O_RDONLY)
    return f"opened as {libc('open_by_handle_at', at, handle, os.O_RDONLY)}"


@probe
def run_a_program_of_another_user(world):
    """A set-user-id program makes root of whoever runs it, unless that is forbidden."""
    PR_GET_NO_NEW_PRIVS = 39
    if libc("prctl", PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0:
        for directory in ("/usr/bin", "/bin", "/usr/sbin"):
            for name in os.listdir(directory):
                status = os.stat(os.path.join(directory, name))
                if status.st_mode & stat.S_ISUID and status.st_uid == 0:
                    return f"{directory}/{name} would run as root"
    return None


@probe
def make_a_device(world):
    path = os.path.join(tempfile.mkdtemp(), "disk")
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0))
    os.unlink(path)
    return "made a block device"


@probe
def open_a_device(world):
    for name in ("/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/net/tun", "/dev/fuse", "/dev/loop-control", "/dev/vda", "/dev/sda"):
        try:
            os.close(os.open(name, os.O_RDONLY | os.O_NONBLOCK))
            return f"opened {name}"
        except OSError:
            pass
    return None


# Processes


@probe
def see_processes_of_the_host(world):
    for entry in os.listdir("/proc"):
        if entry.isdigit() and world["victim_name"] in (readable(f"/proc/{entry}/cmdline", 4000) or ""):
            return entry
    return None


@probe
def signal_a_process_of_the_host(world):
    os.kill(world["victim"], 0)
    return "the signal would arrive"


@probe
def trace_a_process(world):
    PTRACE_SEIZE = 0x4206
    for pid in (world["victim"], 1):
        try:
            LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
            libc("ptrace", PTRACE_SEIZE, pid, None, None)
            return f"traces {pid}"
        except OSError:
            pass
    return None


@probe
def read_the_memory_of_a_process(world):
    for pid in (world["victim"], 1):
        try:
            with open(f"/proc/{pid}/maps") as maps:
                start = int(maps.readline().split("-")[0], 16)
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(start)
                return f"{pid}: {memory.read(4)!r}"
        except (OSError, ValueError):
            pass
    return None


@probe
def read_the_variables_of_a_process(world):
    return readable(f"/proc/{world['victim']}/environ") or readable("/proc/1/environ")


@probe
def be_a_fork_bomb(world):
    """More processes than an environment may have."""
    children = []
    try:
        while len(children) < 1200:
            pid = os.fork()
            if pid == 0:
                time.sleep(100)
                os._exit(0)
            children.append(pid)
    except OSError:
        pass
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    return f"{len(children)} processes" if len(children) >= 1200 else None


@probe
def be_a_thread_bomb(world):
    stop = threading.Event()
    threading.stack_size(64 << 10)
    many = 0
    try:
        while many < 1200:
            threading.Thread(target=stop.wait, daemon=True).start()
            many += 1
    except RuntimeError:
        pass
    stop.set()
    return f"{many} threads" if many >= 1200 else None


@probe
def use_more_memory(world):
    """Four times what the function has, in a child, which may be killed for it."""

    def attempt():
        hoard = [mmap.mmap(-1, 16 << 20) for _ in range(world["memory_mb"] * 4 // 16)]
        for block in hoard:
            for at in range(0, len(block), 4096):
                block[at] = 1
        time.sleep(0.5)
        return f"{len(hoard) * 16} MB"

    return in_child(attempt)


@probe
def open_more_files(world):
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass
    files = []
    try:
        while len(files) < 1100:
            files.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for file in files:
        os.close(file)
    return f"{len(files)} files" if len(files) >= 1100 else None


@probe
def go_before_others(world):
    return in_child(lambda: f"nice is {os.nice(-5)}")


@probe
def fill_the_disk(world):
    directory = tempfile.mkdtemp(dir="/tmp")
    wanted, written = (world["tmp_mb"] + 64) << 20, 0
    try:
        with open(os.path.join(directory, "large"), "wb") as file:
            while written < wanted:
                os.posix_fallocate(file.fileno(), written, 8 << 20)
                written += 8 << 20
    except OSError:
        pass
    shutil.rmtree(directory)
    return f"{written >> 20} MB" if written >= wanted else None


@probe
def fill_the_inodes(world):
    directory = tempfile.mkdtemp(dir="/tmp")
    many = 0
    try:
        while many < world["inodes"]:
            os.mknod(os.path.join(directory, str(many)))
            many += 1
    except OSError:
        pass
    shutil.rmtree(directory)
    return f"{many} files" if many >= world["inodes"] else None


# Privileges

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC = 0x20000, 0x10000000, 0x20000000, 0x40000000, 0x8000000


@probe
def have_a_capability(world):
    for line in open("/proc/self/status"):
        if line.startswith("CapEff:") and int(line.split()[1], 16):
            return line.strip()
    return None


@probe
def become_root(world):
    def attempt():
        os.setresuid(0, 0, 0)
        return readable("/etc/shadow") and "root, and it means something"

    return in_child(attempt)


@probe
def make_a_user_namespace(world):
    return in_child(lambda: libc("unshare", CLONE_NEWUSER) == 0 and "made one")


@probe
def make_a_user_namespace_by_clone3(world):
    arguments = (ctypes.c_uint64 * 8)(CLONE_NEWUSER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = call(435, ctypes.byref(arguments), ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return f"made one for {pid}"


@probe
def make_a_mount_namespace(world):
    return in_child(lambda: libc("unshare", CLONE_NEWNS) == 0 and "made one")


@probe
def make_a_network_namespace(world):
    return in_child(lambda: libc("unshare", CLONE_NEWNET) == 0 and "made one")


@probe
def join_another_namespace(world):
    def attempt():
        for pid in (world["victim"], 1):
            for kind in ("net", "mnt", "pid"):
                try:
                    at = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
                    libc("setns", at, 0)
                    return f"{kind} of {pid}"
                except OSError:
                    pass
        return None

    return in_child(attempt)


@probe
def mount_a_file_system(world):
    def attempt():
        place = tempfile.mkdtemp()
        libc("mount", b"none", place.encode(), b"tmpfs", 0, None)
        libc("umount2", place.encode(), 2)
        return "mounted"

    return in_child(attempt)


@probe
def mount_by_the_new_calls(world):
    return f"fsopen answered {call(430, b'tmpfs', 0)}"


@probe
def make_the_root_writable(world):
    MS_REMOUNT, MS_BIND = 32, 4096

    def attempt():
        libc("unshare", CLONE_NEWNS) if world.get("walls") is False else None
        libc("mount", b"none", b"/", None, MS_REMOUNT | MS_BIND, None)
        return "remounted"

    return in_child(attempt)


@probe
def change_the_root(world):
    return in_child(lambda: os.chroot("/tmp") or "changed")


@probe
def rename_the_host(world):
    name = socket.gethostname()
    socket.sethostname(name)
    return f"it is {name}"


@probe
def set_the_clock(world):
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    return "set"


@probe
def change_a_setting_of_the_kernel(world):
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger"):
        try:
            os.close(os.open(path, os.O_WRONLY))
            return f"{path} can be written"
        except OSError:
            pass
    return None


@probe
def read_the_log_of_the_kernel(world):
    buffer = ctypes.create_string_buffer(4096)
    many = libc("klogctl", 3, buffer, 4096)
    return buffer.raw[:many].decode(errors="replace")[:60] or None


@probe
def load_a_program_into_the_kernel(world):
    """bpf(BPF_MAP_CREATE)."""
    attributes = (ctypes.c_uint32 * 18)(2, 4, 4, 1)
    return f"bpf answered {call(321, 0, ctypes.byref(attributes), ctypes.sizeof(attributes))}"


@probe
def count_events_of_the_kernel(world):
    """perf_event_open."""
    attributes = (ctypes.c_uint32 * 32)()
    attributes[0], attributes[1] = 1, 128
    return f"perf_event_open answered {call(298, ctypes.byref(attributes), -1, 0, -1, 0)}"


@probe
def handle_page_faults(world):
    return f"userfaultfd answered {call(323, 0)}"


@probe
def have_an_io_ring(world):
    parameters = (ctypes.c_uint32 * 30)()
    return f"io_uring_setup answered {call(425, 1, ctypes.byref(parameters))}"


@probe
def use_the_key_ring(world):
    """Key rings know no namespaces of processes: what lies there is for whoever has the same user id."""
    KEY_SPEC_SESSION_KEYRING = -3
    return f"add_key answered {call(248, b'user', b'dunlin-probe', b'x', 1, KEY_SPEC_SESSION_KEYRING)}"


@probe
def write_to_a_control_group(world):
    for directory, _, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in ("cgroup.procs", "memory.max", "memory.limit_in_bytes", "release_agent", "tasks"):
                try:
                    os.close(os.open(os.path.join(directory, name), os.O_WRONLY))
                    return os.path.join(directory, name)
                except OSError:
                    pass
    return None


@probe
def have_a_descriptor_of_somebody_else(world):
    """Beside the three standard ones, a process has those that it opened itself."""
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if int(name) > 2 and target.startswith("/") and not target.startswith(("/proc/", "/dev/null", "/dev/urandom", "/var/", "/tmp/")):
            return f"{name} is {target}"
    return None


# The network


@probe
def send_raw_packets(world):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "a raw socket"


@probe
def listen_to_all_packets(world):
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    return "a packet socket"


@probe
def change_the_network(world):
    """A netlink message that adds a dummy interface."""
    name = b"probe0\0"
    link = b"".join([
        (16).to_bytes(2, "little") + (3).to_bytes(2, "little") + name.ljust(12, b"\0"),
        (16).to_bytes(2, "little") + (18).to_bytes(2, "little") + (10).to_bytes(2, "little") + (1).to_bytes(2, "little") + b"dummy".ljust(8, b"\0"),
    ])  # fmt: skip
    body = bytes(16) + link
    head = (16 + len(body)).to_bytes(4, "little") + (16).to_bytes(2, "little") + (0x605).to_bytes(2, "little") + bytes(8)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as wire:
        wire.settimeout(5)
        wire.send(head + body)
        answer = wire.recv(4096)
    code = int.from_bytes(answer[16:20], "little", signed=True)
    # Whoever may is told that it is done, that it is there already, or that this kernel has none of the kind.
    return f"answered {code}" if code in (0, -errno.EEXIST, -errno.EOPNOTSUPP) else None


@probe
def reach_the_node(world):
    for address in world["addresses"]:
        for port in world["ports"]:
            try:
                socket.create_connection((address, port), timeout=0.5).close()
                return f"{address}:{port}"
            except OSError:
                pass
    return None


@probe
def reach_a_server_of_the_host(world):
    for address in world["addresses"]:
        try:
            with socket.create_connection((address, world["server"]), timeout=0.5) as connection:
                return connection.recv(10).decode()
        except OSError:
            pass
    return None


@probe
def reach_an_abstract_socket(world):
    """Such names belong to a network namespace, and to no directory."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + world["abstract"])
        return connection.recv(10).decode()


@probe
def reach_a_socket_file_of_the_host(world):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(world["socket"])
        return connection.recv(10).decode()


@probe
def reach_the_virtual_machine_below(world):
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    return "a vsock socket"


@probe
def use_ciphers_of_the_kernel(world):
    """AF_ALG has been the way to several holes."""
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0).close()
    return "an AF_ALG socket"


@probe
def see_memory_that_the_host_shares(world):
    IPC_STAT = 2
    identifier = libc("shmget", world["shared_memory"], 0, 0)
    buffer = ctypes.create_string_buffer(512)
    libc("shmctl", identifier, IPC_STAT, buffer)
    return f"segment {identifier}"


@probe
def see_what_another_function_left(world):
    return readable(world["residue"])


# Networks


def scanned(addresses, ports):
    """The first of these that answers, or refuses as only a machine does that was reached."""
    for address in addresses:
        for port in ports:
            try:
                socket.create_connection((address, port), timeout=0.5).close()
                return f"{address}:{port}"
            except ConnectionRefusedError:
                return f"{address}:{port} refused"
            except OSError:
                pass
    return None


@network_probe
def scan_the_node(world):
    return scanned(world["addresses"], world["ports"])


@network_probe
def scan_the_neighbours(world):
    """The addresses of other sandboxes, and of what connects them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as aim:
        aim.connect((world["metadata"], 80))
        own = aim.getsockname()[0]
    return scanned([a for a in world["neighbours"] if a != own], [world["ports"][0], 53])


@network_probe
def ask_for_the_credentials_of_the_machine(world):
    with socket.create_connection((world["metadata"], 80), timeout=2) as connection:
        return connection.recv(10).decode()


@network_probe
def rebind_a_name_to_the_machine(world):
    """A name of the attacker's that stands for an address that is out of reach."""
    with socket.create_connection((world["rebound"], 80), timeout=2) as connection:
        return connection.recv(10).decode()


@network_probe
def speak_ipv6_to_the_link(world):
    """Whatever has a link-local address hears it."""
    found = []
    for line in (readable("/proc/net/if_inet6", 4000) or "").splitlines():
        if line.startswith("fe80"):
            found.append(line)
    return found or None


def run(name, world):
    try:
        return {**PROBES, **NETWORK_PROBES}[name](world)
    except (OSError, AttributeError, subprocess.SubprocessError):
        return None


def handler(event, context):
    return {"evidence": run(event["probe"], event["world"])}


if __name__ == "__main__":
    found = run(sys.argv[1], json.loads(sys.argv[2]))
    print(json.dumps(found, default=str))
