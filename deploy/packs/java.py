"""Makes a pack for the java runtimes: the official runtime client, on the JDK or JRE of this machine.

    java.py DIR [--java PROGRAM] [--runtimes java21,...]

Then: dunlin runtime add java --from DIR --config FILE

Maven fetches the client, in the versions of pom.xml. The flags of the JVM are those that AWS starts it with. Where this user may
make mount namespaces, the client's classes are archived as the JVM wants them, which takes a part off every cold start; without
that the pack is good, too. Make it anew when another Java is installed: the archive is for the one that made it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENT = "com.amazonaws.services.lambda.runtime.api.client"
# The identifiers of each version of the language.
RUNTIMES = {
    "1.8": ["java8", "java8.al2", "java8.al2023"],
    "11": ["java11", "java11.al2023"],
    "17": ["java17", "java17.al2023"],
    "21": ["java21"],
    "25": ["java25"],
}
# How the client calls machines in the names of its libraries.
MACHINES = {"x86_64": ("x86_64", "x86_64"), "aarch64": ("arm64", "aarch_64")}
ARCHIVE = "runtime.jsa"
INSIDE = "/var/runtime"


def properties(java: str) -> dict[str, str]:
    """What a JVM says of itself."""
    said = subprocess.run([java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=True)
    return dict(re.findall(r"^ +([\w.]+) = (.*)$", said.stderr, re.MULTILINE))


def fetch(lib: Path) -> list[str]:
    """Puts the client into a directory; the names of its files."""
    if shutil.which("mvn") is None:
        sys.exit("mvn is missing: install Maven, of your distribution or as https://maven.apache.org says")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={lib}", "-DincludeScope=runtime"]
    command = ["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", HERE / "pom.xml", *goal]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"Maven did not fetch the client:\n{done.stdout}{done.stderr}")
    return sorted(jar.name for jar in lib.glob("*.jar"))


def command(java: str, specification: str, jars: list[str], library: str, archive: bool) -> list[str]:
    # The archive is an offer: a JVM that does not find it, or did not make it, starts without.
    shared = [f"-XX:SharedArchiveFile={INSIDE}/{ARCHIVE}", "-Xshare:auto"] if archive else []
    opens = [] if specification == "1.8" else ["--add-opens=java.base/java.io=ALL-UNNAMED"]
    crashes = [] if specification in ("1.8", "11") else ["-XX:+ErrorFileToStderr"]
    return [
        java,
        "-XX:MaxHeapSize={memory:85%}",
        "-XX:+UseSerialGC",
        *shared,
        "-XX:+TieredCompilation",
        "-XX:TieredStopAtLevel=1",
        *opens,
        "-Djava.net.preferIPv4Stack=true",
        *crashes,
        f"-D{CLIENT}.runtimeapi.NativeClient.JNI={INSIDE}/{library}",
        "-classpath",
        ":".join(f"{INSIDE}/lib/{jar}" for jar in jars),
        f"{CLIENT}.AWSLambda",
        "{handler}",
    ]


def manifest(runtimes: list[str], architecture: str, told: dict[str, str], words: list[str]) -> str:
    home = told["java.home"]
    binds = [] if home.startswith("/usr/") else [home]
    lines = ",\n".join(f"    {json.dumps(word)}" for word in words)
    return f"""\
runtimes = {json.dumps(runtimes)}
architecture = "{architecture}"
version = "{re.sub(r"[^A-Za-z0-9.+_-]", "-", told["java.version"])}"
command = [
{lines},
]
binds = {json.dumps(binds)}

[environment]
JAVA_HOME = {json.dumps(home)}
"""


class Training(BaseHTTPRequestHandler):
    """A Runtime API with one invocation, so that the client shows which classes it needs."""

    protocol_version = "HTTP/1.1"
    answered = threading.Event()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.answered.is_set():
            # The last one asks in vain, as in a frozen environment.
            threading.Event().wait(60)
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "00000000-0000-4000-8000-000000000000",
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:training",
            "Content-Type": "application/json",
        }
        self.send(200, headers, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answered.set()
        self.send(202, {}, b'{"status":"OK"}')

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def archive(directory: Path, words: list[str]) -> str:
    """Has the JVM write its archive; why there is none, or nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Training)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = [word.replace("{memory:85%}", "256m") for word in words if ARCHIVE not in word]
    # A handler that every Java has: archives hold no classes of functions.
    words = [word.replace("{handler}", "java.util.Date::toString") for word in words]
    words.insert(1, f"-XX:ArchiveClassesAtExit={INSIDE}/{ARCHIVE}")
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": "training",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "training",
        "AWS_LAMBDA_LOG_STREAM_NAME": "training",
        "AWS_EXECUTION_ENV": "AWS_Lambda_java17",
        "AWS_REGION": "us-east-1",
        "_HANDLER": "java.util.Date::toString",
        "LAMBDA_TASK_ROOT": "/var/task",
        "PATH": os.environ["PATH"],
    }
    # An archive is only for classes at the paths where they were when it was made.
    script = (
        f'mount -t tmpfs tmpfs /var && mkdir {INSIDE} /var/task && mount --bind "$0" {INSIDE} && cd /var/task && exec "$@"'
    )
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    command = [*namespace, "sh", "-c", script, str(directory), *words]
    try:
        jvm = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError as error:
        return str(error)
    answered = Training.answered.wait(30)
    jvm.terminate()
    said, _ = jvm.communicate(timeout=60)
    server.shutdown()
    if not answered or not (directory / ARCHIVE).exists():
        return said.strip() or "the JVM wrote none"
    (directory / ARCHIVE).chmod(0o644)
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="directory to make")
    parser.add_argument("--java", default="java", help="the program that runs functions; else the first of PATH")
    parser.add_argument("--runtimes", help="identifiers that it is for; else those of its version")
    arguments = parser.parse_args()

    found = shutil.which(arguments.java)
    if found is None:
        sys.exit(f"{arguments.java} is missing: install a JDK or JRE, or name its program with --java")
    told = properties(found)
    specification = told["java.specification.version"]
    runtimes = arguments.runtimes.split(",") if arguments.runtimes else RUNTIMES.get(specification)
    if runtimes is None:
        sys.exit(f"no runtime is of Java {specification}: say with --runtimes which ones it is to run")
    if platform.machine() not in MACHINES:
        sys.exit(f"expected a machine of {' or '.join(MACHINES)}, got {platform.machine()}")
    architecture, machine = MACHINES[platform.machine()]

    directory = arguments.directory.resolve()
    (directory / "lib").mkdir(parents=True, exist_ok=True)
    jars = fetch(directory / "lib")
    (client,) = (jar for jar in jars if jar.startswith("aws-lambda-java-runtime-interface-client-"))
    library = f"jni/libaws-lambda-jni.linux-{machine}.so"
    with zipfile.ZipFile(directory / "lib" / client) as archived:
        archived.extract(library, directory)

    java = str(Path(told["java.home"], "bin", "java"))
    wanted = command(java, specification, jars, library, archive=True)
    why = "archives need Java 13" if specification in ("1.8", "11") else archive(directory, wanted)
    if why:
        print(f"without an archive of classes, cold starts take longer: {why}", file=sys.stderr)
        wanted = command(java, specification, jars, library, archive=False)
    (directory / "pack.toml").write_text(manifest(runtimes, architecture, told, wanted))
    print(f"{directory} is a pack for {', '.join(runtimes)} on Java {told['java.version']}")


if __name__ == "__main__":
    main()
