//! A small world for sandboxes to reach: a network namespace that a driver takes for the host's, another behind it with
//! listeners, and a name server that this process runs.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sandbox::{
    Networks,
    contract::Targets,
    linux::{Options, SpawnerCommand},
    network::Egress,
};

/// What listens behind the host.
const SERVE: &str = "
import socket, sys, threading
def serve(listener):
    while True:
        connection, _ = listener.accept()
        connection.sendall(b'hello')
        connection.close()
for address in sys.argv[1:]:
    host, port = address.rsplit(':', 1)
    threading.Thread(target=serve, args=(socket.create_server((host, int(port))),)).start()
print('up', flush=True)
";

/// See the module. Needs root, and the program `ip`.
pub(crate) struct World {
    host: String,
    beyond: String,
    servers: Vec<Child>,
    name_server: SocketAddr,
}

impl World {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = |what: &str| format!("sandbox-test-{}-{number}-{what}", std::process::id());
        let mut world = Self {
            host: name("host"),
            beyond: name("beyond"),
            servers: Vec::new(),
            name_server: name_server(),
        };
        let (host, beyond) = (world.host.clone(), world.beyond.clone());
        for namespace in [&host, &beyond] {
            run("ip", &["netns", "add", namespace]);
            run("ip", &["-n", namespace, "link", "set", "lo", "up"]);
        }
        run(
            "ip",
            &[
                "-n", &host, "link", "add", "out", "type", "veth", "peer", "name", "in", "netns",
                &beyond,
            ],
        );
        run(
            "ip",
            &["-n", &host, "addr", "add", "203.0.113.1/24", "dev", "out"],
        );
        run("ip", &["-n", &host, "link", "set", "out", "up"]);
        for address in [
            "203.0.113.10/24",
            "203.0.113.11/24",
            "203.0.113.66/24",
            "169.254.169.254/32",
            "10.77.0.1/32",
        ] {
            run("ip", &["-n", &beyond, "addr", "add", address, "dev", "in"]);
        }
        run("ip", &["-n", &beyond, "link", "set", "in", "up"]);
        for address in ["169.254.169.254/32", "10.77.0.1/32"] {
            run("ip", &["-n", &host, "route", "add", address, "dev", "out"]);
        }
        world.within(&host, "echo 1 > /proc/sys/net/ipv4/ip_forward");
        world.serve(
            &beyond,
            &[
                "203.0.113.10:8080",
                "203.0.113.10:8081",
                "203.0.113.11:8080",
                "203.0.113.11:8081",
                "203.0.113.66:8080",
                "169.254.169.254:80",
                "10.77.0.1:8080",
            ],
        );
        world.serve(&host, &["203.0.113.1:8080", "127.0.0.1:8080"]);
        world
    }

    /// Says something to a shell in one of the namespaces.
    fn within(&self, namespace: &str, script: &str) -> String {
        run(
            "nsenter",
            &[
                &format!("--net=/var/run/netns/{namespace}"),
                "sh",
                "-ec",
                script,
            ],
        )
    }

    /// Says something to a shell where the driver takes it for the host's network.
    pub(crate) fn at_host(&self, script: &str) -> String {
        self.within(&self.host, script)
    }

    fn serve(&mut self, namespace: &str, addresses: &[&str]) {
        let mut child = Command::new("nsenter")
            .args([
                &format!("--net=/var/run/netns/{namespace}"),
                "/usr/bin/python3",
                "-c",
                SERVE,
            ])
            .args(addresses)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 2];
        child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
        self.servers.push(child);
    }

    /// Options of a driver that takes this for its machine. Files are put into `dir`.
    pub(crate) fn options(&self, dir: &Path, options: Options) -> Options {
        let script = dir.join("spawner-in-the-world");
        let text = format!(
            "#!/bin/sh\nexec /usr/bin/nsenter --net=/var/run/netns/{} '{}'\n",
            self.host,
            options.spawner.program.display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let list = [
            "203.0.113.10:8080",
            "api.example.com:8080",
            "evil.example.com:80-81",
            "evil.example.com:8080",
        ];
        let list: Vec<String> = list.map(str::to_owned).into();
        let networks = Networks {
            policies: [
                ("open".parse().unwrap(), Egress::Open),
                ("listed".parse().unwrap(), Egress::parse(&list).unwrap()),
            ]
            .into(),
            forbidden: vec!["10.77.0.0/16".parse().unwrap()],
            name_servers: vec![self.name_server],
            ..Networks::default()
        };
        Options {
            spawner: SpawnerCommand {
                program: script,
                args: Vec::new(),
            },
            networks: Arc::new(networks),
            ..options
        }
    }

    pub(crate) fn targets() -> Targets {
        let at = |text: &str| text.parse().unwrap();
        Targets {
            allowed: at("203.0.113.10:8080"),
            others: vec![at("203.0.113.10:8081"), at("203.0.113.11:8080")],
            never: vec![
                at("169.254.169.254:80"),
                at("203.0.113.1:8080"),
                at("203.0.113.66:8080"),
                at("10.77.0.1:8080"),
            ],
            name: ("api.example.com".to_owned(), at("203.0.113.11:8080")),
            other_name: "other.example.com".to_owned(),
            rebound: "evil.example.com".to_owned(),
        }
    }

    /// The address that a node of the cluster would have.
    pub(crate) fn node() -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, 66)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
        for namespace in [&self.host, &self.beyond] {
            let _ = Command::new("ip")
                .args(["netns", "del", namespace])
                .status();
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A name server on a port of its own, for as long as this process lives.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((count, asker)) = socket.recv_from(&mut buffer) {
            let answer = answer(&buffer[..count]);
            let _ = socket.send_to(&answer, asker);
        }
    });
    address
}

/// Addresses of a name, put behind the question without reading more of it.
fn answer(query: &[u8]) -> Vec<u8> {
    let mut end = 12;
    let mut name = Vec::new();
    while query[end] != 0 {
        let length = usize::from(query[end]);
        name.push(String::from_utf8_lossy(&query[end + 1..end + 1 + length]).into_owned());
        end += length + 1;
    }
    let question = &query[12..end + 5];
    let addresses: &[[u8; 4]] = match name.join(".").as_str() {
        "api.example.com" | "other.example.com" => &[[203, 0, 113, 11]],
        "evil.example.com" => &[
            [169, 254, 169, 254],
            [203, 0, 113, 66],
            [10, 77, 0, 1],
            [127, 0, 0, 1],
        ],
        _ => &[],
    };
    let count = u8::try_from(addresses.len()).unwrap();
    let mut message = [
        &query[..2],
        &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0],
        question,
    ]
    .concat();
    for address in addresses {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        message.extend(address);
    }
    message
}
