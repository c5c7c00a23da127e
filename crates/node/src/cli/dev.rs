//! `dunlin dev`: a whole cluster in one process, with nothing to configure.
//!
//! One node with every role, an identity and a gossip key made for this life only, a master key that stays with the data,
//! open to anybody on loopback. What the
//! machine's sandbox lacks is waived, and named in the banner.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use clap::Args;
use host::{Clock, Entropy, SystemClock, SystemEntropy, certificate, net::Credentials};
use model::{NodeName, Region, Roles, Zone};
use proto::FORMATS;
use sandbox::{Finding, Piece, Report};
use tokio::{net::TcpListener, time::Instant};

use super::{
    Exit, MISUSED,
    scratch::Scratch,
    secret_key,
    serve::{Running, Signals, bind_admin, runtime},
};
use crate::{
    compose::{self, Addresses, NodeHandle, StartError},
    config::{
        Audit, Auth, Cluster, Listen, Log, LogFormat, MasterKeyFile, Network, Node, NodeConfig,
        Raft, Registries, Sandbox, SecretSource, Tracing, Worker,
    },
    material::{Material, key_ring},
    real, telemetry,
};

/// The endpoints besides the AWS API, counted from its port.
const GRPC_OFFSET: u16 = 1;
const INTERNAL_OFFSET: u16 = 10;
const ADMIN_OFFSET: u16 = 20;
/// A developer who stops the cluster does not want to wait for long.
const GRACE: Duration = Duration::from_secs(3);
/// How long the node may take until it can serve.
const READY_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Keep data in this directory; without it everything is gone at exit
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Port of the AWS API; gRPC is 1 above, the internal one 10, status and metrics 20. 0 takes any free ones
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Directory with packs of `dunlin runtime add`; without it, packs in the data directory
    #[arg(long)]
    packs: Option<PathBuf>,
    /// What functions reach that choose nothing themselves: `open` is everything but this machine and what is next to it,
    /// `none` nothing. `open` if this machine can, if it is left out
    #[arg(long)]
    network: Option<Reach>,
    /// Which log lines are written: a level, or target=level,...
    #[arg(long, default_value = "warn")]
    log: String,
}

/// What functions reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Reach {
    None,
    Open,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    if arguments.port > u16::MAX - ADMIN_OFFSET {
        return Err(Exit {
            code: MISUSED,
            cause: anyhow!("expected a --port of at most {}", u16::MAX - ADMIN_OFFSET),
        });
    }
    let (directory, _scratch) = match &arguments.data_dir {
        Some(kept) => (std::path::absolute(kept)?, None),
        None => {
            let scratch = Scratch::new()?;
            (scratch.path().to_owned(), Some(scratch))
        }
    };
    // The runtime ends before the directory goes away.
    runtime()?.block_on(serve(arguments, &directory, out))
}

async fn serve(
    arguments: &Arguments,
    directory: &Path,
    out: &mut dyn Write,
) -> Result<ExitCode, Exit> {
    let began = Instant::now();
    let mut signals = Signals::new()?;
    let config = config(arguments, directory)?;
    let telemetry = telemetry::install(&config.log, &config.tracing, "dev")?;
    let (node, admin, lacks) = tokio::select! {
        started = start(config, directory, arguments.network) => started.map_err(|exit| explain(exit, arguments.port))?,
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let told = Told {
        addresses: node.addresses().clone(),
        admin: admin.local_addr()?,
        data: arguments.data_dir.clone(),
        took: began.elapsed(),
    };
    let text = banner(&told, &lacks);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let code = Running::new(node, admin)
        .until_stopped(&mut signals, GRACE)
        .await;
    telemetry.flush().await;
    Ok(code)
}

async fn start(
    mut config: NodeConfig,
    directory: &Path,
    wanted: Option<Reach>,
) -> Result<(NodeHandle, TcpListener, Report), Exit> {
    let admin = bind_admin(&config).await?;
    std::fs::create_dir_all(directory)?;
    let material = material(&config)?;
    let host = real::host(&config, &material).await?;
    let driver = real::driver(&config).await?;
    let report = driver
        .as_ref()
        .map(|d| d.report().clone())
        .unwrap_or_default();
    if let Some(Finding::Missing { why, remedy }) = report.get(Piece::Egress) {
        if wanted == Some(Reach::Open) {
            return Err(anyhow!("--network open: {why}: {remedy}").into());
        }
        tracing::info!(why, remedy, "functions reach nothing");
        config.network = Network::default();
    }
    let node = compose::start(config, &material, host, driver).await?;
    tokio::time::timeout(READY_MAX, node.ready())
        .await
        .with_context(|| {
            format!("the cluster was not ready within {READY_MAX:?}; see its log with --log info")
        })?;
    Ok((node, admin, report))
}

fn config(arguments: &Arguments, directory: &Path) -> Result<NodeConfig, Exit> {
    arguments
        .log
        .parse::<tracing_subscriber::filter::Targets>()
        .context("--log")
        .map_err(Exit::misused)?;
    let at = |offset: u16| match arguments.port {
        0 => free_address(),
        port => Ok(SocketAddr::from((
            Ipv4Addr::LOCALHOST,
            port.saturating_add(offset),
        ))),
    };
    let (public, internal) = (at(0)?, at(INTERNAL_OFFSET)?);
    let name: NodeName = "dev".parse()?;
    let zone: Zone = "local".parse()?;
    Ok(NodeConfig {
        node: Node {
            name: name.clone(),
            zone,
            roles: Roles::ALL,
            data_dir: directory.to_owned(),
        },
        listen: Listen {
            public,
            grpc: at(GRPC_OFFSET)?,
            internal,
            admin: at(ADMIN_OFFSET)?,
            advertise_internal: internal.to_string(),
            advertise_public: public.to_string(),
            url_suffix: "localhost".to_owned(),
            tls: None,
        },
        cluster: Cluster {
            name: "dev".to_owned(),
            region: Region::default(),
            initial_controllers: BTreeMap::from([(name, internal.to_string())]),
            seeds: Vec::new(),
            gossip_key_files: Vec::new(),
            identity_dir: PathBuf::new(),
            newest_format: FORMATS.newest,
        },
        raft: Raft::default(),
        auth: Auth::Open,
        audit: Audit::default(),
        master_keys: vec![MasterKeyFile {
            id: "dev".parse()?,
            source: SecretSource::File(directory.join("master.key")),
        }],
        worker: Worker {
            slots: 64,
            memory: None,
            cpus: None,
            idle_expiry: Duration::from_mins(10),
            code_cache: model::ByteCount::mib(4096),
            image_store: model::ByteCount::mib(20 << 10),
            interpreter_dirs: Vec::new(),
            pack_dir: arguments.packs.clone(),
            nearest_runtime: true,
            zygotes: true,
        },
        sandbox: Sandbox {
            allow_missing: Piece::ALL
                .into_iter()
                .filter(|piece| !piece.is_essential())
                .collect(),
            ..Sandbox::default()
        },
        network: match arguments.network {
            Some(Reach::None) => Network::default(),
            Some(Reach::Open) | None => Network::open(),
        },
        limits: model::Limits::default(),
        log: Log {
            format: LogFormat::Text,
            level: arguments.log.clone(),
        },
        tracing: Tracing {
            otlp_endpoint: None,
            sample_ratio: 0.0,
        },
        s3: None,
        registries: Registries {
            hosts: Vec::new(),
            others: true,
        },
        drain_grace: GRACE,
    })
}

/// An address with a port that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn material(config: &NodeConfig) -> Result<Material, anyhow::Error> {
    let entropy = SystemEntropy::new();
    let certificate = certificate::self_signed(
        &config.cluster.name,
        config.node.name.clone(),
        config.node.roles,
        SystemClock.wall(),
        &entropy,
    )?;
    let mut gossip_key = [0; 32];
    for chunk in gossip_key.chunks_mut(8) {
        chunk.copy_from_slice(&entropy.next_u64().to_le_bytes());
    }
    Ok(Material {
        credentials: Credentials::Memory(certificate),
        public: None,
        gossip_keys: vec![gossip_key],
        access_keys: None,
        master_keys: Some(Arc::new(master_keys(config)?)),
        object_store: None,
        registries: Some(image::Registries {
            plain_loopback: true,
            ..image::Registries::default()
        }),
    })
}

/// The master key of this cluster; made when its directory is new, so that kept data stays readable.
fn master_keys(config: &NodeConfig) -> Result<seal::KeyRing, anyhow::Error> {
    for key in &config.master_keys {
        if let SecretSource::File(path) = &key.source
            && !path.try_exists()?
        {
            secret_key::make(path)
                .with_context(|| format!("no master key could be made at {}", path.display()))?;
        }
    }
    Ok(key_ring(&config.master_keys, &|_| None)?)
}

/// Names the flag that helps when a port is taken.
fn explain(exit: Exit, port: u16) -> Exit {
    match exit.cause.downcast_ref::<StartError>() {
        Some(StartError::Bind { address, .. }) => Exit {
            code: exit.code,
            cause: anyhow!(
                "port {} is taken, perhaps by another `dunlin dev`; choose others with --port N (this one uses {port}, {}, {} and {})",
                address.port(),
                port.saturating_add(GRPC_OFFSET),
                port.saturating_add(INTERNAL_OFFSET),
                port.saturating_add(ADMIN_OFFSET),
            ),
        },
        _ => exit,
    }
}

struct Told {
    addresses: Addresses,
    admin: SocketAddr,
    data: Option<PathBuf>,
    took: Duration,
}

fn banner(told: &Told, report: &Report) -> String {
    let endpoint = told
        .addresses
        .public
        .map_or_else(String::new, |a| format!("http://{a}"));
    let grpc = told
        .addresses
        .grpc
        .map_or_else(String::new, |a| a.to_string());
    let data = told.data.as_ref().map_or_else(
        || "gone at exit; keep it with --data-dir DIR".to_owned(),
        |d| d.display().to_string(),
    );
    let mut text = format!(
        "dunlin {} is ready after {} ms\n\n\
         \x20 AWS API      {endpoint}\n\
         \x20 credentials  any; an access key of 12 digits chooses the account, the region is yours\n\
         \x20 gRPC         {grpc}\n\
         \x20 status       http://{admin}/\n\
         \x20 metrics      http://{admin}/metrics\n\
         \x20 data         {data}\n",
        env!("CARGO_PKG_VERSION"),
        told.took.as_millis(),
        admin = told.admin,
    );
    let missing: Vec<_> = report
        .iter()
        .filter_map(|(piece, finding)| match finding {
            Finding::Missing { why, .. } => Some((piece, why)),
            Finding::Enforced { .. } => None,
        })
        .collect();
    if missing.is_empty() {
        text.push_str("  sandbox      complete\n");
    } else {
        text.push_str("  sandbox      lacks on this machine (`dunlin doctor` says what to do):\n");
        for (piece, why) in missing {
            let _ = writeln!(text, "                 {piece}: {why}");
        }
    }
    let _ = write!(
        text,
        "\nnext, in another terminal:\n\n\
         \x20 export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1\n\
         \x20 aws --endpoint-url {endpoint} lambda list-functions\n\n\
         Ctrl-C stops it.\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(port: u16) -> Arguments {
        Arguments {
            data_dir: None,
            port,
            packs: None,
            network: None,
            log: "warn".to_owned(),
        }
    }

    #[test]
    fn the_banner_names_every_address_and_every_missing_piece() {
        let mut report = Report::default();
        let missing = |why: &str| Finding::Missing {
            why: why.to_owned(),
            remedy: String::new(),
        };
        report.set(Piece::Landlock, missing("kernel 5.10"));
        report.set(Piece::CgroupCpu, missing("no controller"));
        let told = Told {
            addresses: Addresses {
                public: Some("127.0.0.1:9000".parse().unwrap()),
                grpc: Some("127.0.0.1:9001".parse().unwrap()),
                internal: "127.0.0.1:9010".parse().unwrap(),
            },
            admin: "127.0.0.1:9020".parse().unwrap(),
            data: None,
            took: Duration::from_millis(412),
        };
        let text = banner(&told, &report);
        for expected in [
            "ready after 412 ms",
            "aws --endpoint-url http://127.0.0.1:9000 lambda list-functions",
            "gRPC         127.0.0.1:9001",
            "status       http://127.0.0.1:9020/",
            "landlock: kernel 5.10",
            "cgroup-cpu: no controller",
            "gone at exit",
        ] {
            assert!(text.contains(expected), "{text}\n-- lacks --\n{expected}");
        }
        assert!(banner(&told, &Report::default()).contains("sandbox      complete"));
    }

    #[test]
    fn a_taken_port_is_named_with_the_flag_that_helps() {
        let taken = StartError::Bind {
            key: "listen.grpc",
            address: "127.0.0.1:9101".parse().unwrap(),
            source: io::Error::from(io::ErrorKind::AddrInUse),
        };
        let text = explain(taken.into(), 9100).cause.to_string();
        assert!(
            text.contains("port 9101 is taken") && text.contains("--port N"),
            "{text}"
        );
        assert!(text.contains("9100, 9101, 9110 and 9120"), "{text}");
    }

    #[test]
    fn ports_stand_at_fixed_distances_and_zero_means_any() {
        let config = config(&arguments(9100), Path::new("/d")).unwrap();
        assert_eq!(config.listen.admin.port(), 9120);
        assert_eq!(config.cluster.initial_controllers.len(), 1);
        let config = super::config(&arguments(0), Path::new("/d")).unwrap();
        assert_ne!(config.listen.admin.port(), 0);
        assert_eq!(
            config.listen.advertise_internal,
            config.listen.internal.to_string()
        );
        assert!(run(&arguments(65_530), &mut Vec::new()).is_err());
    }
}
