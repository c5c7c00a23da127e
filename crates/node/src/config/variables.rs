//! Variables that override the file: `DUNLIN_<SECTION>__<KEY>`.

use super::{
    nearest::nearest,
    problem::{Place, Problem},
    scope::{Sheet, Written},
    table::{self, KEYS, Key, Shape},
};

/// What the name of every variable of ours begins with.
pub(crate) const PREFIX: &str = "DUNLIN_";

/// The variables that are not ours: where AWS's own clients look for their object store, and for any service.
const S3_ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";
const ANY_ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Writes the variables over the sheet. Those that begin with the prefix and name no key become problems.
pub(crate) fn read(variables: &[(String, String)], sheet: &mut Sheet) {
    let known: Vec<(String, &'static Key)> = KEYS
        .iter()
        .filter_map(|k| k.variable().map(|v| (v, k)))
        .collect();
    for (name, text) in variables {
        if !name.starts_with(PREFIX) {
            continue;
        }
        let place = Place::Variable(name.clone());
        let Some((_, key)) = known.iter().find(|(v, _)| v == name) else {
            let names = known.iter().map(|(v, _)| v.as_str());
            sheet.problem(Problem::Unknown {
                place: Place::Variable("environment".to_owned()),
                what: "variable",
                name: name.clone(),
                nearest: nearest(name, names).map(str::to_owned),
            });
            continue;
        };
        match value(key.shape, text) {
            Ok(value) => sheet.write(key, value, place),
            Err(reason) => sheet.problem(Problem::Value {
                place,
                key: format!("{}.{}", key.section, key.name),
                reason,
            }),
        }
    }
    name_endpoint(variables, sheet);
}

/// The variable for the object store wins over the file, as in AWS's own clients; that for every service is asked only where
/// nothing else names an endpoint, because it may be there for the sake of another. Neither says anything to a node that has
/// not been told of an object store.
fn name_endpoint(variables: &[(String, String)], sheet: &mut Sheet) {
    let Some(key) = table::find("s3", "endpoint") else {
        return;
    };
    let given = |wanted: &str| {
        let mut given = variables.iter();
        given.find(|(name, text)| name == wanted && !text.is_empty())
    };
    let ours = key.variable().is_some_and(|ours| given(&ours).is_some());
    if ours || !sheet.has_section("s3") {
        return;
    }
    let any = || given(ANY_ENDPOINT).filter(|_| !sheet.section("s3").is_written("endpoint"));
    if let Some((name, text)) = given(S3_ENDPOINT).or_else(any) {
        let place = Place::Variable(name.clone());
        sheet.write(key, Written::Text(text.clone()), place);
    }
}

/// A value from text: lists are separated by commas, an empty text is an empty list.
///
/// # Errors
/// What was expected and what came.
pub(crate) fn value(shape: Shape, text: &str) -> Result<Written, String> {
    Ok(match shape {
        Shape::Text | Shape::Path | Shape::Duration | Shape::Bytes => {
            Written::Text(text.to_owned())
        }
        Shape::Integer => Written::Integer(
            text.parse()
                .map_err(|_| format!("expected a whole number, got {text:?}"))?,
        ),
        Shape::Decimal => Written::Decimal(
            text.parse()
                .map_err(|_| format!("expected a number, got {text:?}"))?,
        ),
        Shape::Boolean => Written::Boolean(
            text.parse()
                .map_err(|_| format!("expected true or false, got {text:?}"))?,
        ),
        Shape::List | Shape::Paths => Written::List(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        ),
    })
}
