//! Cases about what code inside sees and reaches.

use std::net::TcpListener;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Case, Fixture, Verdict, case, demand, late};
use crate::driver::{Exit, GATEWAY_ADDRESS, LISTENER_ADDRESS, Spec};

pub(super) const CASES: &[Case] = &[
    case!(
        "only code inside reaches the listener, and each listener has its own inside",
        listener
    ),
    case!(
        "the gateway is a listener of its own, and is handed out once if there is one",
        gateway
    ),
    case!(
        "code, runtime and layers are where AWS has them, later layers on top, all read-only",
        directories,
        [Overlay]
    ),
    case!("extra directories are at their own path, read-only", extra),
    case!(
        "/tmp is writable and executable, private and empty at first",
        tmp
    ),
    case!("the host name is the given one", host_name, [UtsNamespace]),
];

const CONNECT: &str = "
import socket, sys
with socket.create_connection(('127.0.0.1', 9001), 5) as peer:
    peer.sendall(b'NAME')
    print('answer', peer.recv(16).decode(), flush=True)
";

async fn listener(fixture: &Fixture<'_>) -> Verdict {
    let mut both = [
        fixture.make(fixture.spec()).await?,
        fixture.make(fixture.spec()).await?,
    ];
    let mut listeners = Vec::new();
    for inside in &mut both {
        let listener = inside
            .sandbox
            .take_listener()
            .ok_or_else(|| super::Broken::new("a sandbox has a listener"))?;
        demand(
            inside.sandbox.take_listener().is_none(),
            "it is handed out once",
        )?;
        listeners.push(listener);
    }
    // On the host the same address is somebody else's, or nobody's.
    let host = TcpListener::bind(LISTENER_ADDRESS);
    for (number, inside) in both.iter().enumerate() {
        inside
            .python(&CONNECT.replace("NAME", &format!("from {number}")))
            .await?;
    }
    for (number, (inside, listener)) in both.iter_mut().zip(&listeners).enumerate() {
        let answered = tokio::time::timeout(super::LIMIT, async {
            let mut peer = listener.accept().await?;
            let mut said = [0_u8; 6];
            peer.read_exact(&mut said).await?;
            peer.write_all(b"yes").await?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&said).into_owned())
        });
        let said = answered.await.map_err(|_| late("a connection"))??;
        demand(
            said == format!("from {number}"),
            format!("sandbox {number} at its own listener, got `{said}`"),
        )?;
        inside.exits(Exit::Code(0)).await?;
        inside.logged("answer yes").await?;
    }
    if let Ok(host) = host {
        host.set_nonblocking(true)?;
        let nobody = host.accept();
        demand(
            nobody.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock),
            "nobody came to the host's address",
        )?;
    }
    Ok(())
}

async fn gateway(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let Some(gateway) = inside.sandbox.take_gateway() else {
        return Ok(());
    };
    demand(
        inside.sandbox.take_gateway().is_none(),
        "it is handed out once",
    )?;
    let port = GATEWAY_ADDRESS.port().to_string();
    inside
        .python(&CONNECT.replace("9001", &port).replace("NAME", "out"))
        .await?;
    let answered = tokio::time::timeout(super::LIMIT, async {
        let mut peer = gateway.accept().await?;
        let mut said = [0_u8; 3];
        peer.read_exact(&mut said).await?;
        peer.write_all(b"yes").await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&said).into_owned())
    });
    let said = answered.await.map_err(|_| late("a connection"))??;
    demand(
        said == "out",
        format!("the gateway hears its own, got `{said}`"),
    )?;
    inside.exits(Exit::Code(0)).await?;
    inside.logged("answer yes").await?;
    Ok(())
}

async fn directories(fixture: &Fixture<'_>) -> Verdict {
    let layers = vec![fixture.dir("layer-1"), fixture.dir("layer-2")];
    let mut inside = fixture
        .make(Spec {
            layers,
            ..fixture.spec()
        })
        .await?;
    inside
        .shell(
            "cat /var/task/handler.txt; echo; cat /opt/both /opt/one /opt/two; echo; /var/runtime/bootstrap; \
             for dir in /var/task /var/runtime /opt / /usr /etc /var /dev /proc/sys; do \
             (: > $dir/written) 2>/dev/null && echo WRITTEN $dir; done; echo checked",
        )
        .await?;
    inside.exits(Exit::Code(0)).await?;
    let log = inside.log_now().await;
    demand(
        log.starts_with("the code\nsecond12\nbooted\n"),
        format!("their content, got: {log}"),
    )?;
    demand(
        log.contains("checked") && !log.contains("WRITTEN"),
        format!("they are read-only, got: {log}"),
    )?;

    let mut bare = fixture.make(fixture.spec()).await?;
    bare.shell("ls -A /opt | wc -l").await?;
    bare.exits(Exit::Code(0)).await?;
    demand(
        bare.log_now().await.trim() == "0",
        "/opt is empty without layers",
    )?;

    let mut single = fixture
        .make(Spec {
            layers: vec![fixture.dir("layer-2")],
            ..fixture.spec()
        })
        .await?;
    single.shell("cat /opt/both").await?;
    single.exits(Exit::Code(0)).await?;
    demand(single.log_now().await == "second", "one layer is /opt")
}

async fn extra(fixture: &Fixture<'_>) -> Verdict {
    let extra = fixture.dir("extra");
    let script = format!(
        "cat {0}/tool; (: > {0}/written) 2>/dev/null && echo WRITTEN; exit 0",
        extra.display()
    );
    let refused = extra.starts_with("/tmp");
    let spec = Spec {
        extra_binds: vec![extra],
        ..fixture.spec()
    };
    if refused {
        return demand(
            fixture.driver.create(spec).await.is_err(),
            "/tmp belongs to the sandbox",
        );
    }
    let mut inside = fixture.make(spec).await?;
    inside.shell(&script).await?;
    inside.exits(Exit::Code(0)).await?;
    let log = inside.log_now().await;
    demand(log == "a tool", format!("the tool, read-only, got: {log}"))
}

async fn tmp(fixture: &Fixture<'_>) -> Verdict {
    for _ in 0..2 {
        let mut inside = fixture.make(fixture.spec()).await?;
        inside
            .shell("ls -A /tmp | wc -l; printf '#!/bin/sh\\necho executed' > /tmp/x; chmod +x /tmp/x; /tmp/x; mkdir /tmp/d && ln -s /etc /tmp/d/l")
            .await?;
        inside.exits(Exit::Code(0)).await?;
        let log = inside.log_now().await;
        demand(
            log.trim() == "0\nexecuted",
            format!("an empty /tmp that can be used, got: {log}"),
        )?;
        inside.sandbox.kill().await;
    }
    Ok(())
}

async fn host_name(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            hostname: "function-1".into(),
            ..fixture.spec()
        })
        .await?;
    inside
        .python("import socket; print(socket.gethostname(), socket.gethostbyname('function-1'))")
        .await?;
    inside.exits(Exit::Code(0)).await?;
    let log = inside.log_now().await;
    demand(
        log.trim() == "function-1 127.0.0.1",
        format!("the name resolves to itself, got: {log}"),
    )
}
