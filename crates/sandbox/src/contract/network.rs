//! Cases about what a sandbox with a network policy reaches. They need something to reach: a driver that can connect
//! sandboxes is tried with [`Targets`].

use std::net::{Ipv4Addr, SocketAddrV4};

use tokio::time::timeout;

use super::{Broken, Case, Fixture, Inside, LIMIT, Verdict, case, demand};
use crate::driver::{CreateError, Exit, NetworkPolicy};

pub(super) const CASES: &[Case] = &[
    case!(
        "without a network policy there is no device but loopback",
        no_device,
        [NetNamespace]
    ),
    case!(
        "a list lets through what is on it, and nothing else",
        listed,
        [Egress]
    ),
    case!(
        "an open policy reaches neither metadata nor nodes nor link-local addresses",
        never,
        [Egress]
    ),
    case!(
        "sandboxes do not reach each other",
        not_each_other,
        [Egress]
    ),
    case!(
        "a name on the list leads to its port, other names to nothing",
        names,
        [Egress]
    ),
    case!(
        "a name that stands for a forbidden address leads to nothing",
        rebinding,
        [Egress]
    ),
    case!("code inside cannot change its network", unchanged, [Egress]),
    case!("a policy that is not there is refused by its name", refused),
];

/// What the cases about networks reach, or do not. At each address something listens that says `hello`.
#[derive(Clone, Debug)]
pub struct Targets {
    /// On the list of the policy `listed`.
    pub allowed: SocketAddrV4,
    /// Not on that list, and reached by the policy `open`.
    pub others: Vec<SocketAddrV4>,
    /// Reached by no policy.
    pub never: Vec<SocketAddrV4>,
    /// A name on the list of `listed`, for one of `others`, at its port.
    pub name: (String, SocketAddrV4),
    /// A name that is not on that list, and stands for one of `others`.
    pub other_name: String,
    /// A name on the list that stands for one of `never`.
    pub rebound: String,
}

/// Python: what becomes of connections.
const TRY: &str = "
import errno, socket, sys
def reach(host, port):
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect((host, port))
        return s.recv(5).decode()
    except OSError as e:
        return type(e).__name__
    finally:
        s.close()
";

fn targets<'a>(fixture: &'a Fixture<'_>) -> Result<&'a Targets, Broken> {
    let missing =
        || Broken::new("a driver that connects sandboxes is tried with something to reach");
    fixture.targets.as_ref().ok_or_else(missing)
}

fn python(address: SocketAddrV4) -> String {
    format!("'{}', {}", address.ip(), address.port())
}

impl Inside {
    /// Runs Python that has `reach`, with names being answered; answers what it printed up to `done`.
    async fn tries(&mut self, program: &str) -> Result<String, Broken> {
        self.python(&format!("{TRY}{program}\nprint('done')"))
            .await?;
        let resolver = self.resolver.take();
        let names = async {
            match resolver {
                Some(resolver) => resolver.serve(|| 4711).await,
                None => std::future::pending().await,
            }
        };
        let said = tokio::select! {
            biased;
            said = self.logged("done") => said?.to_owned(),
            () = names => return Err(Broken::new("the name server ended")),
        };
        self.exits(Exit::Code(0)).await?;
        Ok(said)
    }
}

async fn with(fixture: &Fixture<'_>, policy: &str) -> Result<Inside, Broken> {
    let mut spec = fixture.spec();
    let policy = policy.parse().map_err(|e| Broken::new(format!("{e}")))?;
    spec.network = NetworkPolicy::Named(policy);
    fixture.make(spec).await
}

async fn no_device(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let said = inside
        .tries("print(sorted(name for _, name in socket.if_nameindex()))\nprint(reach('203.0.113.10', 1))")
        .await?;
    demand(
        said.contains("['lo']\nOSError\n"),
        format!("only loopback, and no route, got: {said}"),
    )?;
    inside.sandbox.kill().await;
    Ok(())
}

async fn listed(fixture: &Fixture<'_>) -> Verdict {
    let targets = targets(fixture)?;
    let mut inside = with(fixture, "listed").await?;
    let mut program = format!("print(reach({}))\n", python(targets.allowed));
    for other in targets.others.iter().chain(&targets.never) {
        program.push_str(&format!("print(reach({}))\n", python(*other)));
    }
    let said = inside.tries(&program).await?;
    demand(
        said.starts_with("hello\n"),
        format!("what is on the list is reached, got: {said}"),
    )?;
    demand(
        said.matches("hello").count() == 1,
        format!("nothing else is, got: {said}"),
    )?;
    inside.sandbox.kill().await;
    Ok(())
}

async fn never(fixture: &Fixture<'_>) -> Verdict {
    let targets = targets(fixture)?;
    let mut inside = with(fixture, "open").await?;
    let mut program = format!("print(reach({}))\n", python(targets.allowed));
    for other in &targets.others {
        program.push_str(&format!("print(reach({}))\n", python(*other)));
    }
    for never in &targets.never {
        program.push_str(&format!("print('never', reach({}))\n", python(*never)));
    }
    // The router itself, and the host's end of the link to it.
    program.push_str("import subprocess\n");
    program.push_str("gateway = socket.inet_ntoa(bytes.fromhex(open('/proc/net/route').readlines()[1].split()[2])[::-1])\n");
    program.push_str("base = gateway.rsplit('.', 1)[0]\n");
    program.push_str("for last in range(1, 9): print('never', reach(f'{base}.{last}', 22))\n");
    program.push_str("print('fe80' in open('/proc/net/if_inet6').read())\n");
    let said = inside.tries(&program).await?;
    let expected = "hello\n".repeat(1 + targets.others.len());
    demand(
        said.starts_with(&expected),
        format!("open reaches what there is, got: {said}"),
    )?;
    demand(
        !said.contains("never hello"),
        format!("but not these, got: {said}"),
    )?;
    demand(
        !said.contains("ConnectionRefused"),
        format!("nor does anything of the host answer, got: {said}"),
    )?;
    demand(
        said.contains("False\n"),
        format!("nor is there a link-local address, got: {said}"),
    )?;
    inside.sandbox.kill().await;
    Ok(())
}

async fn not_each_other(fixture: &Fixture<'_>) -> Verdict {
    let mut one = with(fixture, "open").await?;
    one.python(
        "import socket, struct, fcntl\n\
         s = socket.create_server(('0.0.0.0', 7000))\n\
         a = fcntl.ioctl(s.fileno(), 0x8915, struct.pack('256s', b'eth0'))[20:24]\n\
         print('at', socket.inet_ntoa(a), 'up')\n\
         while True: s.accept()[0].sendall(b'hello')",
    )
    .await?;
    let said = one.logged("up").await?.to_owned();
    let address = said
        .split_whitespace()
        .nth(1)
        .and_then(|a| a.parse::<Ipv4Addr>().ok());
    let address = address.ok_or_else(|| Broken::new(format!("an address, got: {said}")))?;
    for policy in ["open", "listed"] {
        let mut other = with(fixture, policy).await?;
        let said = other
            .tries(&format!("print(reach('{address}', 7000))"))
            .await?;
        demand(
            !said.contains("hello"),
            format!("{policy}: a neighbour is not reached, got: {said}"),
        )?;
        other.sandbox.kill().await;
    }
    one.sandbox.kill().await;
    Ok(())
}

async fn names(fixture: &Fixture<'_>) -> Verdict {
    let targets = targets(fixture)?;
    let mut inside = with(fixture, "listed").await?;
    let (name, at) = &targets.name;
    let program = format!(
        "print('before', reach({at}))\nprint('named', reach('{name}', {port}))\nprint('after', reach({at}))\n\
         print('port', reach('{name}', {wrong}))\nprint('other', reach('{other}', {port}))",
        at = python(*at),
        port = at.port(),
        wrong = at.port() + 1,
        other = targets.other_name,
    );
    let said = inside.tries(&program).await?;
    for expected in ["named hello\n", "after hello\n", "other gaierror\n"] {
        demand(
            said.contains(expected),
            format!("`{expected}`, got: {said}"),
        )?;
    }
    for wrong in ["before hello", "port hello"] {
        demand(!said.contains(wrong), format!("no `{wrong}`, got: {said}"))?;
    }
    let mut open = with(fixture, "open").await?;
    let said = open
        .tries(&format!(
            "print(reach('{}', {}))",
            targets.other_name,
            at.port()
        ))
        .await?;
    demand(
        said.contains("hello"),
        format!("an open policy reaches every name, got: {said}"),
    )?;
    open.sandbox.kill().await;
    // What a name opened for one sandbox is open to no other.
    let mut next = with(fixture, "listed").await?;
    let said = next
        .tries(&format!("print(reach({}))", python(*at)))
        .await?;
    demand(
        !said.contains("hello"),
        format!("not opened for another, got: {said}"),
    )?;
    next.sandbox.kill().await;
    inside.sandbox.kill().await;
    Ok(())
}

async fn rebinding(fixture: &Fixture<'_>) -> Verdict {
    let targets = targets(fixture)?;
    for policy in ["listed", "open"] {
        let mut inside = with(fixture, policy).await?;
        let ports: Vec<u16> = targets.never.iter().map(|n| n.port()).collect();
        let program = format!(
            "for port in {ports:?}: print(reach('{}', port))",
            targets.rebound
        );
        let said = inside.tries(&program).await?;
        demand(
            said.contains("gaierror"),
            format!("{policy}: it has no address, got: {said}"),
        )?;
        demand(
            !said.contains("hello"),
            format!("{policy}: it is not reached, got: {said}"),
        )?;
        inside.sandbox.kill().await;
    }
    Ok(())
}

async fn unchanged(fixture: &Fixture<'_>) -> Verdict {
    let targets = targets(fixture)?;
    let mut inside = with(fixture, "listed").await?;
    let other = targets.others.first().copied();
    let other = other.ok_or_else(|| Broken::new("something else to reach"))?;
    // A new address and a new route by netlink, a flush of the rules, a raw socket.
    let program = format!(
        "import struct
def ask(protocol, kind, flags, body):
    try:
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        s.sendall(struct.pack('=IHHII', 16 + len(body), kind, flags, 1, 0) + body)
        return struct.unpack('=i', s.recv(4096)[16:20])[0]
    except OSError as e:
        return -e.errno
print('address', ask(0, 20, 0x605, struct.pack('=BBBBI', 2, 32, 0, 0, 2) + struct.pack('=HH4B', 8, 2, 198, 18, 16, 9)))
print('route', ask(0, 25, 5, struct.pack('=8BI', 2, 0, 0, 0, 254, 4, 0, 1, 0)))
print('rules', ask(12, (10 << 8) | 2, 5, b'\\x01\\0\\0\\0'))
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)
    print('raw 0')
except OSError as e:
    print('raw', -e.errno)
print(reach({}))",
        python(other)
    );
    let said = inside.tries(&program).await?;
    for what in ["address -", "route -", "rules -", "raw -"] {
        demand(
            said.contains(what),
            format!("{what}: an error, got: {said}"),
        )?;
    }
    demand(
        !said.contains("hello"),
        format!("the rules hold, got: {said}"),
    )?;
    inside.sandbox.kill().await;
    Ok(())
}

async fn refused(fixture: &Fixture<'_>) -> Verdict {
    let mut spec = fixture.spec();
    let policy = "not-there"
        .parse()
        .map_err(|e| Broken::new(format!("{e}")))?;
    spec.network = NetworkPolicy::Named(policy);
    let made = timeout(LIMIT, fixture.driver.create(spec)).await;
    match made.map_err(|_| Broken::new("no answer"))? {
        Err(CreateError::Network { policy, .. }) => {
            demand(policy.as_str() == "not-there", "its name")
        }
        Err(other) => Err(Broken::new(format!(
            "expected the policy to be refused, got: {other}"
        ))),
        Ok(_) => Err(Broken::new(
            "a policy that is not there was taken for another",
        )),
    }
}
