//! A walk through a function's life with the SDK as it comes from the registry.
//!
//! Arguments: runtime, name, package, other package. Endpoint, region and credentials are in the environment. What is not as it
//! should be panics: this program is a test.

use std::{
    env,
    error::Error,
    fmt::Debug,
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use aws_sdk_lambda::{
    Client,
    client::Waiters,
    config::{BehaviorVersion, Config, Credentials, Region},
    error::SdkError,
    operation::{
        RequestId, create_function::CreateFunctionError, get_alias::GetAliasError,
        get_function::GetFunctionError, invoke::InvokeError, update_alias::UpdateAliasError,
    },
    primitives::Blob,
    types::{
        AliasRoutingConfiguration, Environment, FunctionCode, LogType, Runtime, State,
        error::{
            PreconditionFailedException, ResourceConflictException, ResourceNotFoundException,
        },
    },
};
use aws_smithy_http_client::Builder;

type Outcome = Result<(), Box<dyn Error>>;

const ROLE: &str = "arn:aws:iam::000000000000:role/lambda";
const PATIENCE: Duration = Duration::from_secs(60);

/// The function that the walk is about.
struct Walk {
    client: Client,
    runtime: Runtime,
    name: String,
    one: Vec<u8>,
    two: Vec<u8>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [runtime, name, first, second] = arguments.as_slice() else {
        return Err("expected: runtime, name, package, other package".into());
    };
    let walk = Walk {
        client: client()?,
        runtime: Runtime::from(runtime.as_str()),
        name: name.clone(),
        one: fs::read(first)?,
        two: fs::read(second)?,
    };
    walk.nothing_there().await?;
    walk.create().await?;
    walk.read_back().await?;
    walk.update().await?;
    walk.alias().await?;
    walk.list().await?;
    walk.delete().await?;
    println!("walked {name}");
    Ok(())
}

fn client() -> Result<Client, env::VarError> {
    let credentials = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        None,
        None,
        "environment",
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(env::var("AWS_REGION")?))
        .endpoint_url(env::var("AWS_ENDPOINT_URL_LAMBDA")?)
        .credentials_provider(credentials)
        .http_client(Builder::new().build_http())
        .build();
    Ok(Client::from_conf(config))
}

/// The modelled error in a refusal, which tells the request.
fn refused<T: Debug, E: Debug + RequestId>(answer: Result<T, SdkError<E>>) -> E {
    let Err(SdkError::ServiceError(refusal)) = answer else {
        panic!("{answer:?}");
    };
    let error = refusal.into_err();
    assert_eq!(error.request_id().map(str::len), Some(36), "{error:?}");
    error
}

impl Walk {
    async fn nothing_there(&self) -> Outcome {
        let error = refused(
            self.client
                .get_function()
                .function_name(&self.name)
                .send()
                .await,
        );
        let GetFunctionError::ResourceNotFoundException(ResourceNotFoundException {
            message,
            r#type,
            ..
        }) = error
        else {
            panic!("{error:?}");
        };
        assert!(
            message
                .unwrap()
                .starts_with("Function not found: arn:aws:lambda:")
        );
        assert_eq!(r#type.as_deref(), Some("User"));
        Ok(())
    }

    async fn create(&self) -> Outcome {
        let request = || {
            self.client
                .create_function()
                .function_name(&self.name)
                .role(ROLE)
                .runtime(self.runtime.clone())
                .handler("versioned.handler")
                .timeout(20)
                .code(
                    FunctionCode::builder()
                        .zip_file(Blob::new(self.one.clone()))
                        .build(),
                )
                .environment(Environment::builder().variables("SETTING", "rust").build())
                .tags("team", "blue")
        };
        let made = request().send().await?;
        assert_eq!(made.state(), Some(&State::Pending));
        self.client
            .wait_until_function_exists()
            .function_name(&self.name)
            .wait(PATIENCE)
            .await?;
        self.client
            .wait_until_function_active_v2()
            .function_name(&self.name)
            .wait(PATIENCE)
            .await?;
        let error = refused(request().send().await);
        let CreateFunctionError::ResourceConflictException(ResourceConflictException {
            message,
            ..
        }) = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(
            message,
            Some(format!("Function already exist: {}", self.name))
        );
        Ok(())
    }

    async fn read_back(&self) -> Outcome {
        let found = self
            .client
            .get_function()
            .function_name(&self.name)
            .send()
            .await?;
        assert_eq!(
            found
                .tags()
                .and_then(|tags| tags.get("team"))
                .map(String::as_str),
            Some("blue")
        );
        let location = found
            .code()
            .and_then(|code| code.location())
            .expect("a location");
        assert!(
            download(location)? == self.one,
            "the code behind Code.Location is not what was uploaded"
        );

        let answer = self
            .client
            .invoke()
            .function_name(&self.name)
            .payload(Blob::new("{\"n\":1}"))
            .log_type(LogType::Tail)
            .send()
            .await?;
        assert_eq!((answer.status_code(), answer.function_error()), (200, None));
        assert_eq!(
            text(answer.payload()),
            r#"{"word": "one", "version": "$LATEST", "setting": "rust"}"#
        );
        assert!(answer.log_result().is_some());
        Ok(())
    }

    async fn update(&self) -> Outcome {
        assert_eq!(self.publish().await?, "1");
        let code = Blob::new(self.two.clone());
        self.client
            .update_function_code()
            .function_name(&self.name)
            .zip_file(code)
            .send()
            .await?;
        self.updated().await?;
        self.client
            .update_function_configuration()
            .function_name(&self.name)
            .description("changed")
            .send()
            .await?;
        self.updated().await?;
        assert_eq!(self.publish().await?, "2");
        self.client
            .wait_until_published_version_active()
            .function_name(&self.name)
            .qualifier("2")
            .wait(PATIENCE)
            .await?;
        Ok(())
    }

    async fn publish(&self) -> Result<String, Box<dyn Error>> {
        let version = self
            .client
            .publish_version()
            .function_name(&self.name)
            .send()
            .await?;
        Ok(version.version.unwrap_or_default())
    }

    async fn updated(&self) -> Outcome {
        self.client
            .wait_until_function_updated_v2()
            .function_name(&self.name)
            .wait(PATIENCE)
            .await?;
        Ok(())
    }

    async fn alias(&self) -> Outcome {
        let made = self
            .client
            .create_alias()
            .function_name(&self.name)
            .name("live")
            .function_version("1")
            .send()
            .await?;
        assert!(self.invoke("live").await?.contains(r#""word": "one""#));
        let canary = AliasRoutingConfiguration::builder()
            .additional_version_weights("2", 1.0)
            .build();
        self.client
            .update_alias()
            .function_name(&self.name)
            .name("live")
            .routing_config(canary)
            .send()
            .await?;
        assert!(self.invoke("live").await?.contains(r#""word": "two""#));
        let stale = self
            .client
            .update_alias()
            .function_name(&self.name)
            .name("live")
            .function_version("2");
        let error = refused(stale.set_revision_id(made.revision_id).send().await);
        let UpdateAliasError::PreconditionFailedException(PreconditionFailedException {
            message,
            ..
        }) = error
        else {
            panic!("{error:?}");
        };
        assert!(
            message
                .unwrap()
                .starts_with("The Revision Id provided does not match")
        );
        Ok(())
    }

    async fn invoke(&self, qualifier: &str) -> Result<String, Box<dyn Error>> {
        let answer = self
            .client
            .invoke()
            .function_name(&self.name)
            .qualifier(qualifier)
            .send()
            .await?;
        Ok(text(answer.payload()))
    }

    async fn list(&self) -> Outcome {
        let mut pages = self
            .client
            .list_versions_by_function()
            .function_name(&self.name)
            .into_paginator()
            .page_size(1)
            .send();
        let mut versions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page?;
            assert!(page.versions().len() <= 1);
            versions.extend(
                page.versions()
                    .iter()
                    .filter_map(|each| each.version.clone()),
            );
        }
        assert_eq!(versions, ["$LATEST", "1", "2"]);
        let every = self
            .client
            .list_functions()
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await?;
        assert!(
            every
                .iter()
                .any(|each| each.function_name() == Some(&self.name))
        );
        Ok(())
    }

    async fn delete(&self) -> Outcome {
        self.client
            .delete_alias()
            .function_name(&self.name)
            .name("live")
            .send()
            .await?;
        let error = refused(
            self.client
                .get_alias()
                .function_name(&self.name)
                .name("live")
                .send()
                .await,
        );
        assert!(
            matches!(error, GetAliasError::ResourceNotFoundException(_)),
            "{error:?}"
        );
        self.client
            .delete_function()
            .function_name(&self.name)
            .send()
            .await?;
        let error = refused(self.client.invoke().function_name(&self.name).send().await);
        assert!(
            matches!(error, InvokeError::ResourceNotFoundException(_)),
            "{error:?}"
        );
        Ok(())
    }
}

fn text(payload: Option<&Blob>) -> String {
    String::from_utf8_lossy(payload.map(AsRef::as_ref).unwrap_or_default()).into_owned()
}

/// What is behind an address. HTTP 1.0 spares this program chunks.
fn download(location: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let (host, path) = location
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("no address")?;
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .ok_or("no answer")?;
    Ok(answer.split_off(end + 4))
}
