//! What a frontend would do: seals environments and hands out the key of one.

use std::collections::BTreeMap;

use host::{Clock, clock::SystemClock};
use model::{
    DataKey, Generation, Timestamp,
    function::{Environment, FunctionVersion, StoredEnvironment},
    iam::{Hour, Session},
};
use prost::Message;
use proto::internal as pb;
use seal::{AccountKey, KeyRing, MasterKey, Place, RoleKey, Token, Zeroizing};

fn account_key(version: &FunctionVersion) -> AccountKey {
    let master = ("m".parse().unwrap(), MasterKey::from_bytes([1; 32]));
    let ring = KeyRing::new(vec![master]).unwrap();
    let (account, generation) = (version.id.function.account, Generation::FIRST);
    let key = DataKey {
        account,
        generation,
        wrapped: ring
            .wrap(account, generation, Zeroizing::new([2; 32]))
            .unwrap(),
        created: Timestamp(0),
    };
    ring.unwrap(&key).unwrap()
}

/// Gives a version these variables, sealed.
pub fn seal(version: &mut FunctionVersion, variables: BTreeMap<String, String>) {
    let text = pb::EnvironmentVariables::from(&Environment(variables)).encode_to_vec();
    let place = Place::Environment(&version.id.function);
    let sealed = account_key(version).seal(place, &text).unwrap();
    version.config.environment = Some(StoredEnvironment::Sealed(sealed));
}

/// What goes with an invocation of a version.
pub fn key(version: &FunctionVersion) -> Vec<u8> {
    match &version.config.environment {
        Some(StoredEnvironment::Sealed(sealed)) => {
            let key = account_key(version).text_key(sealed).unwrap();
            key.expose().to_vec()
        }
        None | Some(StoredEnvironment::Clear(_)) => Vec::new(),
    }
}

/// The hour that it is.
pub fn hour_now() -> u32 {
    Hour::of(SystemClock.wall()).0
}

/// What issues sessions in an hour.
pub fn role_key(hour: u32) -> pb::RoleKey {
    pb::RoleKey {
        generation: 1,
        hour,
        key: vec![7; 32].into(),
    }
}

/// What a session token says, and the secret that belongs to it, once the key of this hour has proven it.
pub fn proven(token: &str, hour: u32) -> (Session, String) {
    let key = RoleKey::from_bytes(Generation::FIRST, Hour(hour), &[7; 32]);
    let token = Token::parse(token).ok().unwrap();
    let credentials = key.ok().unwrap().prove(&token).ok().unwrap();
    let message = pb::Session::decode(token.claims()).unwrap();
    let secret = credentials.secret_access_key().to_owned();
    (message.try_into().unwrap(), secret)
}
