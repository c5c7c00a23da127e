# Tries to get out of a sandbox. Prints one JSON line for each attempt that got further than it should,
# and at the end a line with the number of attempts.
#
# Arguments: a JSON object with what the host prepared as bait.
import ctypes, errno, glob, json, mmap, os, resource, signal, socket, stat, struct, sys

bait = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
attempts = 0


def holds(what, ok, detail=""):
    global attempts
    attempts += 1
    if not ok:
        print(json.dumps({"attack": what, "detail": str(detail)}), flush=True)


def call(number, *arguments):
    """The errno of a system call, 0 if it succeeded."""
    ctypes.set_errno(0)
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return 0 if libc.syscall(ctypes.c_long(number), *arguments) >= 0 else ctypes.get_errno()


def denied(what, number, *arguments, by=(errno.EPERM,)):
    got = call(number, *arguments)
    holds(what, got in by, errno.errorcode.get(got, got))


def refused(what, body, *kinds):
    kinds = kinds or (OSError,)
    try:
        got = body()
    except kinds:
        return holds(what, True)
    except Exception as error:
        return holds(what, False, repr(error))
    holds(what, False, f"succeeded: {got!r}")


def read(path):
    with open(path, "rb") as file:
        return file.read(65536)


def in_child(body):
    """How a child that does this ends."""
    child = os.fork()
    if child == 0:
        try:
            body()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


# 1. files of the host
for path in ["/etc/shadow", "/root", "/home", "/sys", "/boot", "/run", "/etc/ssl/private", "/var/lib", "/var/log"] + bait["paths"]:
    refused(f"see {path}", lambda: os.stat(path))
allowed = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "sbin", "tmp", "usr", "var"}
holds("the root holds only what is known", set(os.listdir("/")) <= allowed, os.listdir("/"))
holds("/dev holds five nodes and four links", sorted(os.listdir("/dev")) == sorted(
    ["null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr"]), os.listdir("/dev"))
for path in ["/", "/usr", "/etc", "/var", "/var/task", "/var/runtime", "/opt", "/dev", "/proc/sys/kernel"]:
    refused(f"write {path}", lambda: open(path + "/written", "w"))
refused("change a program", lambda: open("/usr/bin/env", "r+b"))
refused("change the bait's mode", lambda: os.chmod("/var/task/code.txt", 0o777))
holds("passwd is not the host's", len(read("/etc/passwd").splitlines()) == 2)

# 2. /proc
holds("only own processes", all(int(p) < 100 for p in os.listdir("/proc") if p.isdigit()), os.listdir("/proc"))
holds("pid 1 is the sandbox's", os.getppid() == 1, os.getppid())
for name in ["kcore", "kallsyms", "cmdline", "keys", "key-users", "timer_list", "modules", "partitions", "diskstats",
             "interrupts", "iomem", "cgroups", "locks", "swaps", "zoneinfo", "sched_debug", "kmsg"]:
    path = "/proc/" + name
    if os.path.lexists(path):
        try:
            holds(f"{path} is masked", read(path) == b"")
        except OSError:
            holds(f"{path} is masked", True)
for name in ["acpi", "asound", "bus", "driver", "fs", "irq", "scsi", "tty"]:
    path = "/proc/" + name
    if os.path.lexists(path):
        holds(f"{path} is masked", os.listdir(path) == [], os.listdir(path))
for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
             "/proc/sys/kernel/hostname", "/proc/sys/user/max_user_namespaces", "/proc/self/uid_map"]:
    refused(f"write {path}", lambda: os.write(os.open(path, os.O_WRONLY), b"1"))
if os.path.lexists("/proc/sysrq-trigger"):
    holds("sysrq is the null device", stat.S_ISCHR(os.stat("/proc/sysrq-trigger").st_mode))
holds("no user namespaces below", read("/proc/sys/user/max_user_namespaces").strip() == b"0")
for name in ["mounts", "mountinfo", "mountstats"]:
    text = read("/proc/self/" + name).decode()
    for path in bait["paths"] + bait["dirs"]:
        holds(f"{name} does not tell {path}", path not in text, [l for l in text.splitlines() if path in l])
    if name == "mounts":
        for line in text.splitlines():
            options = line.split()[3].split(",")
            holds("every mount is nosuid", "nosuid" in options, line)
            holds("every mount but /tmp and /proc is read-only", "ro" in options or line.split()[1] in ("/tmp", "/proc"), line)
holds("the cgroup path is the root", all(l.endswith(":/") for l in read("/proc/self/cgroup").decode().splitlines()),
      read("/proc/self/cgroup"))
holds("memory is the function's", int(read("/proc/meminfo").split()[1]) == bait["memory_kib"], read("/proc/meminfo"))
for name in ["environ", "mem", "maps", "root", "cwd", "exe", "fd/0"]:
    refused(f"look into the init's {name}", lambda: os.open("/proc/1/" + name, os.O_RDONLY))
refused("list the init's descriptors", lambda: os.listdir("/proc/1/fd"))

# 3. system calls (numbers of x86-64; the test runs elsewhere without them)
CLONE_NEW = {"newns": 0x20000, "newcgroup": 0x2000000, "newuts": 0x4000000, "newipc": 0x8000000,
             "newuser": 0x10000000, "newpid": 0x20000000, "newnet": 0x40000000}
if os.uname().machine == "x86_64":
    zero, text = ctypes.create_string_buffer(256), ctypes.c_char_p(b"/tmp")
    for name, number, arguments in [
        ("mount", 165, (text, text, text, 0x1000, 0)), ("umount2", 166, (text, 2)), ("pivot_root", 155, (text, text)),
        ("chroot", 161, (text,)), ("move_mount", 429, (-100, text, -100, text, 0)), ("open_tree", 428, (-100, text, 1)),
        ("fsopen", 430, (ctypes.c_char_p(b"tmpfs"), 0)), ("fsmount", 432, (0, 0, 0)), ("fspick", 433, (-100, text, 0)),
        ("mount_setattr", 442, (-100, text, 0, zero, 32)), ("statmount", 457, (zero, zero, 256, 0)),
        ("listmount", 458, (zero, zero, 8, 0)), ("setns", 308, (0, 0)), ("ptrace", 101, (0, 0, 0, 0)),
        ("process_vm_readv", 310, (1, zero, 1, zero, 1, 0)), ("process_vm_writev", 311, (1, zero, 1, zero, 1, 0)),
        ("pidfd_getfd", 438, (0, 0, 0)), ("kcmp", 312, (1, 1, 0, 0, 0)), ("bpf", 321, (0, zero, 128)),
        ("io_uring_setup", 425, (8, zero)), ("io_uring_enter", 426, (0, 0, 0, 0, 0, 0)), ("io_uring_register", 427, (0, 0, 0, 0)),
        ("perf_event_open", 298, (zero, 0, -1, -1, 0)), ("userfaultfd", 323, (0,)), ("keyctl", 250, (0, 0, 0, 0, 0)),
        ("add_key", 248, (text, text, text, 1, 0)), ("request_key", 249, (text, text, text, 0)),
        ("open_by_handle_at", 304, (-100, zero, 0)), ("name_to_handle_at", 303, (-100, text, zero, zero, 0)),
        ("kexec_load", 246, (0, 0, 0, 0)), ("kexec_file_load", 320, (0, 0, 0, 0, 0)), ("init_module", 175, (zero, 1, text)),
        ("finit_module", 313, (0, text, 0)), ("delete_module", 176, (text, 0)), ("quotactl", 179, (0, 0, 0, 0)),
        ("acct", 163, (text,)), ("swapon", 167, (text, 0)), ("reboot", 169, (0, 0, 0, 0)), ("syslog", 103, (3, zero, 10)),
        ("settimeofday", 164, (zero, 0)), ("clock_settime", 227, (0, zero)), ("sethostname", 170, (text, 4)),
        ("iopl", 172, (3,)), ("ioperm", 173, (0, 1, 1)), ("personality", 135, (0x0040000,)),
        ("ioctl TIOCSTI", 16, (0, 0x5412, zero)), ("ioctl TIOCLINUX", 16, (0, 0x541C, zero)),
        ("ioctl TIOCSTI with high bits", 16, (0, 0x7000000005412, zero)),
    ]:
        denied(name, number, *arguments)
    holds("asking for the personality is fine", call(135, 0xFFFFFFFF) == 0)
    for name, flag in CLONE_NEW.items():
        denied(f"unshare {name}", 272, flag)
        got = call(56, flag | signal.SIGCHLD, 0, 0, 0, 0)
        holds(f"clone {name}", got == errno.EPERM, errno.errorcode.get(got, got))
    denied("clone3", 435, zero, 88, by=(errno.ENOSYS,))

    def second_abi():
        libc.syscall(ctypes.c_long(0x40000000 + 39))

    def foreign_abi():
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        ctypes.CFUNCTYPE(ctypes.c_int)(address)()

    for name, body in [("x32 call", second_abi), ("32-bit call", foreign_abi)]:
        status = in_child(body)
        holds(name, os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGSYS, signal.SIGSEGV), status)

# 4. sockets
for family in range(0, 46):
    if family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        continue
    refused(f"socket family {family}", lambda: socket.socket(family, socket.SOCK_STREAM))
    refused(f"datagram socket family {family}", lambda: socket.socket(family, socket.SOCK_DGRAM))
    refused(f"socket pair family {family}", lambda: socket.socketpair(family, socket.SOCK_STREAM))
for protocol in range(1, 23):
    refused(f"netlink {protocol}", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
for family in (socket.AF_INET, socket.AF_INET6):
    refused("raw socket", lambda: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP))

# 5. rights
status = dict(line.split(":", 1) for line in read("/proc/self/status").decode().splitlines())
for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
    holds(f"{name} is empty", int(status[name], 16) == 0, status[name])
holds("no new privileges", status["NoNewPrivs"].strip() == "1")
holds("a filter is on", status["Seccomp"].strip() == "2")
holds("an ordinary user", os.getresuid() == (993, 993, 993) and os.getresgid() == (993, 993, 993), os.getresuid())
holds("no groups", os.getgroups() in ([], [993]), os.getgroups())
for number in (0, 1, 1000, 65534):
    refused(f"become user {number}", lambda: os.setuid(number))
    refused(f"become group {number}", lambda: os.setgid(number))
refused("make a device", lambda: os.mknod("/tmp/sda", 0o600 | stat.S_IFBLK, os.makedev(8, 0)))
refused("make the kernel's memory", lambda: os.mknod("/tmp/mem", 0o600 | stat.S_IFCHR, os.makedev(1, 1)))
open("/tmp/mine", "w").close()
refused("give a file away", lambda: os.chown("/tmp/mine", 0, 0))
refused("raise a limit", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)), ValueError, OSError)
holds("no core files", resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), resource.getrlimit(resource.RLIMIT_CORE))
refused("raise the priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))

# A process can be in at most 16 nested Landlock domains: one of them is already there.
def landlock_layers():
    count = 0
    handled = struct.pack("<Q", 1 << 3)
    while True:
        ruleset = libc.syscall(ctypes.c_long(444), ctypes.c_char_p(handled), ctypes.c_size_t(8), ctypes.c_uint(0))
        if ruleset < 0 or libc.syscall(ctypes.c_long(446), ctypes.c_int(ruleset), ctypes.c_uint(0)) != 0:
            os._exit(count)
        os.close(ruleset)
        count += 1
layers = os.waitstatus_to_exitcode(in_child(landlock_layers))
holds("a Landlock domain is around", layers == 15, layers)

# 7. the init
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV):
    try:
        os.kill(1, number)
    except OSError:
        pass
holds("the init is deaf", read("/proc/1/status").decode().split("State:")[1].split()[0] in ("S", "R"))

# 8. network
holds("only loopback", [name for _, name in socket.if_nameindex()] == ["lo"], socket.if_nameindex())
def connect(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as peer:
        peer.settimeout(5)
        peer.connect(address)
refused("the host's loopback", lambda: connect(("127.0.0.1", bait["port"])))
for address in bait["addresses"] + ["169.254.169.254", "10.0.0.1", "192.168.0.1", "8.8.8.8"]:
    refused(f"address {address}", lambda: connect((address, bait["port"])))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        if not address.startswith("127."):
            refused(f"datagram to {address}", lambda: peer.sendto(b"x", (address, 53)))
for address in ["fe80::1", "2001:4860:4860::8888"]:
    refused(f"address {address}", lambda: connect((address, 80), socket.AF_INET6))
refused("the host's abstract socket", lambda: connect("\0" + bait["abstract"], socket.AF_UNIX))

# 12. descriptors and environment
own = set()
for name in os.listdir("/proc/self/fd"):
    try:
        own.add((int(name), os.readlink("/proc/self/fd/" + name)))
    except OSError:
        pass
extra = [fd for fd in own if fd[0] > 2 and not fd[1].startswith("/proc/")]
holds("no descriptor but 0 to 2", extra == [], own)
holds("standard input is the null device", (0, "/dev/null") in own, own)
holds("the log is a pipe", all(target.startswith("pipe:") for fd, target in own if fd in (1, 2)), own)
holds("no variable but the given", set(os.environ) <= {"PATH", "LC_CTYPE"}, os.environ)

print(json.dumps({"attempts": attempts}), flush=True)
