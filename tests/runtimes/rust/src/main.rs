//! Functions with the official runtime of Rust; the handler says which one it is.

use std::time::Duration;

use lambda_runtime::{
    Error, LambdaEvent, run, service_fn,
    streaming::{Body, Response, channel},
};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("_HANDLER").as_deref() {
        Ok("stream") => run(service_fn(stream)).await,
        Ok("broken") => Err("there is nothing to start".into()),
        _ => run(service_fn(echo)).await,
    }
}

async fn echo(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if let Some(why) = event.payload["fail"].as_str() {
        return Err(why.to_owned().into());
    }
    println!("echoing");
    Ok(json!({
        "event": event.payload,
        "request": event.context.request_id,
        "arn": event.context.invoked_function_arn,
        "deadline": event.context.deadline,
        "memory": event.context.env_config.memory,
    }))
}

/// Sends as many pieces as the event says.
async fn stream(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    let (mut sender, body) = channel();
    let pieces = event.payload["pieces"].as_u64().unwrap_or(0);
    tokio::spawn(async move {
        for number in 0..pieces {
            let piece = format!("piece {number}\n");
            if sender.send_data(piece.into()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    Ok(Response::from(body))
}
