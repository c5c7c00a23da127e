//! Headers that are not there, and such as are there too often.

use super::*;

fn get() -> Owned {
    Owned::named("get")
}

#[test]
fn what_is_signed_must_be_there() {
    let (secret, region) = (Secret::new(SECRET), "eu-west-1".parse().unwrap());
    let signer = Signer {
        access_key_id: ACCESS_KEY,
        secret: &secret,
        session_token: None,
        region: &region,
        service: SERVICE,
    };
    let mut emptied = get();
    emptied.headers.remove(AUTHORIZATION);
    emptied = emptied.with_header("x-amz-client-context", "");
    let added = sign(&emptied.signed(), &signer, NOW).unwrap();
    emptied.headers.extend(added);
    assert!(emptied.verify(NOW).is_ok());
    emptied.headers.remove("x-amz-client-context");
    assert_eq!(
        emptied.verify(NOW),
        Err(SigV4Error::HeaderMissing {
            name: "x-amz-client-context".into()
        })
    );
}

#[test]
fn another_date_is_not_read_beside_that_of_amazon() {
    let mut dated_thrice = get().with_header("date", "some time");
    dated_thrice
        .headers
        .append("date", HeaderValue::from_static("another time"));
    assert!(dated_thrice.verify(NOW).is_ok());
}
