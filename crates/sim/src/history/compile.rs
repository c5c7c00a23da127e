//! From the calls as they were taken down to those that the search orders, one function at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{RevisionId, Version};

use super::{
    Ended, Op, Outcome, Record, Violation, explain,
    linear::Span,
    op,
    spec::{Act, Answer, Call, Expected, SeenAlias, SeenVersion, Text, Write},
};

/// The calls on one function.
pub(super) struct Partition {
    /// Its name.
    pub(super) function: String,
    /// What the search gets.
    pub(super) calls: Vec<Span<Call>>,
    /// What each of them was, and for its readers when.
    pub(super) sources: Vec<Source>,
    /// The texts by their numbers.
    pub(super) texts: Vec<String>,
}

/// A call as it was taken down, as far as it is about one function.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) client: u32,
    pub(super) act: What,
    pub(super) begun: (usize, Duration),
    /// When it was answered.
    pub(super) answered: Option<(usize, Duration)>,
    pub(super) outcome: Option<Outcome>,
    /// An end that makes no difference; for its readers only.
    pub(super) forgotten: Option<((usize, Duration), Outcome)>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Act(op::Act),
    /// A list of functions was to show it.
    Listed,
}

/// The functions that a history names.
pub(super) fn functions(records: &[Record]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for record in records {
        match (&record.op, record.outcome()) {
            (Op::On { function, .. }, _) => {
                names.insert(function.clone());
            }
            (Op::ListFunctions, Some(Outcome::Functions(listed))) => {
                names.extend(listed.functions.iter().map(|(name, _)| name.clone()));
            }
            (Op::ListFunctions, _) => {}
        }
    }
    names
}

/// Everything that is about one function, in the order of beginnings.
pub(super) fn partition(records: &[Record], function: &str) -> Partition {
    let sources = records.iter().filter_map(|r| source(r, function)).collect();
    of_sources(function, sources)
}

/// Prepares calls for the search.
pub(super) fn of_sources(function: &str, sources: Vec<Source>) -> Partition {
    let mut texts = Texts::default();
    let contents = contents(&sources, &mut texts);
    let sightings = Sightings::of(&sources);
    let named = Arc::new(named(&sources));
    let calls = sources.iter().map(|source| {
        let shown = sightings.of_write(source);
        Span {
            call: Call {
                act: act(&source.act, &contents, &mut texts),
                answer: source.outcome.as_ref().map(|o| answer(o, &mut texts)),
                is_hidden: shown == Shown::Never,
                named: named.clone(),
            },
            begun: source.begun.0,
            ended: match (source.answered, shown) {
                (Some((at, _)), _) | (None, Shown::ByItself(at)) => Some(at),
                (None, Shown::Never | Shown::Perhaps) => None,
            },
        }
    });
    let calls = calls.collect();
    Partition {
        function: function.to_owned(),
        calls,
        sources,
        texts: texts.all,
    }
}

/// Every revision stands for one content.
pub(super) fn revisions_are_unique(records: &[Record]) -> Result<(), Violation> {
    let mut first: BTreeMap<RevisionId, (String, &Record)> = BTreeMap::new();
    for record in records {
        let mut see = |function: &str, revision: RevisionId, content: String| {
            let content = format!("{function}: {content}");
            let (known, by) = first.entry(revision).or_insert((content.clone(), record));
            if *known == content {
                return Ok(());
            }
            Err(explain::revision_of_two(function, revision, [*by, record]))
        };
        // Lists of functions show too little of a version to tell its revisions apart.
        if let (Op::On { function, .. }, Some(outcome)) = (&record.op, record.outcome()) {
            for seen in outcome.versions().iter().filter(|s| s.settled.is_some()) {
                see(function, seen.revision, format!("{seen} {}", seen.code))?;
            }
            for seen in outcome.aliases() {
                see(function, seen.revision, seen.to_string())?;
            }
        }
    }
    Ok(())
}

impl Record {
    fn outcome(&self) -> Option<&Outcome> {
        match &self.end.as_ref()?.how {
            Ended::Done(outcome) => Some(outcome),
            Ended::Refused | Ended::Unknown => None,
        }
    }
}

impl Outcome {
    fn versions(&self) -> &[op::SeenVersion] {
        match self {
            Self::Version(seen) => std::slice::from_ref(seen),
            Self::Versions(seen) => seen,
            _ => &[],
        }
    }

    fn aliases(&self) -> &[op::SeenAlias] {
        match self {
            Self::Alias(seen) => std::slice::from_ref(seen),
            Self::Aliases(seen) => seen,
            _ => &[],
        }
    }
}

fn source(record: &Record, function: &str) -> Option<Source> {
    let end = record.end.as_ref();
    if matches!(end.map(|e| &e.how), Some(Ended::Refused)) {
        return None;
    }
    let (what, outcome) = match (&record.op, record.outcome()) {
        (Op::On { function: of, act }, outcome) if of == function => {
            if act.is_read() && outcome.is_none() {
                return None;
            }
            (What::Act(act.clone()), outcome.cloned())
        }
        (Op::On { .. }, _) => return None,
        (Op::ListFunctions, outcome) => (What::Listed, Some(listed(outcome?, function)?)),
    };
    Some(Source {
        client: record.client,
        act: what,
        begun: record.begun,
        answered: end.filter(|_| outcome.is_some()).map(|e| e.at),
        outcome,
        forgotten: None,
    })
}

fn listed(outcome: &Outcome, function: &str) -> Option<Outcome> {
    let Outcome::Functions(listed) = outcome else {
        return Some(outcome.clone());
    };
    let found = listed.functions.iter().find(|(name, _)| name == function);
    match found {
        Some((_, seen)) => Some(Outcome::Version(seen.clone())),
        None => listed.complete.then_some(Outcome::NotFound),
    }
}

/// The numbers of versions that matter.
fn named(sources: &[Source]) -> BTreeSet<u64> {
    let mut named = BTreeSet::new();
    for source in sources {
        let by_act = match &source.act {
            What::Act(op::Act::Get { version } | op::Act::CreateAlias { version, .. }) => {
                version.as_number()
            }
            What::Act(op::Act::UpdateAlias { version, .. }) => version.and_then(Version::as_number),
            What::Act(op::Act::DeleteVersion { version }) => Some(*version),
            What::Act(_) | What::Listed => None,
        };
        named.extend(by_act);
        let Some(outcome) = &source.outcome else {
            continue;
        };
        let versions = outcome.versions().iter().map(|seen| seen.version);
        let targets = outcome.aliases().iter().map(|seen| seen.version);
        let shown = versions.chain(targets).filter_map(Version::as_number);
        named.extend(shown);
    }
    named
}

/// Whether answers show what a call wrote.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Never,
    /// Others wrote the same, or it wrote nothing that can be told from other things.
    Perhaps,
    /// By this place in the order of beginnings and ends; nobody else wrote it.
    ByItself(usize),
}

/// What answers show, and how many calls write it.
struct Sightings<'a>(BTreeMap<&'a str, (usize, Option<usize>)>);

impl<'a> Sightings<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let mut found: BTreeMap<&str, (usize, Option<usize>)> = BTreeMap::new();
        for source in sources {
            if let Some(text) = written(&source.act) {
                found.entry(text).or_default().0 += 1;
            }
            // What a creation brings besides, which others may bring, too.
            if let What::Act(op::Act::Create { code, .. }) = &source.act {
                found.entry(code).or_default().0 += 2;
            }
        }
        for source in sources {
            let (Some(outcome), Some((at, _))) = (&source.outcome, source.answered) else {
                continue;
            };
            let versions = outcome.versions().iter();
            let texts = versions
                .flat_map(|seen| [seen.marker.as_str(), seen.code.as_str()])
                .chain(outcome.aliases().iter().map(|seen| seen.marker.as_str()));
            for text in texts {
                let first = &mut found.entry(text).or_default().1;
                *first = Some(first.map_or(at, |first| first.min(at)));
            }
        }
        Self(found)
    }

    fn of_write(&self, source: &Source) -> Shown {
        let Some(text) = written(&source.act) else {
            return Shown::Perhaps;
        };
        match self.0.get(text) {
            None | Some((_, None)) => Shown::Never,
            Some((1, Some(at))) => Shown::ByItself(*at),
            Some((_, Some(_))) => Shown::Perhaps,
        }
    }
}

/// The text by which a change can be told from others.
fn written(what: &What) -> Option<&str> {
    let What::Act(act) = what else { return None };
    match act {
        op::Act::Create { marker, .. }
        | op::Act::UpdateConfiguration { marker, .. }
        | op::Act::CreateAlias { marker, .. } => Some(marker),
        op::Act::UpdateCode { code, .. } => Some(code),
        op::Act::Publish { marker, .. } | op::Act::UpdateAlias { marker, .. } => marker.as_deref(),
        op::Act::Delete
        | op::Act::DeleteVersion { .. }
        | op::Act::Get { .. }
        | op::Act::ListVersions
        | op::Act::DeleteAlias { .. }
        | op::Act::GetAlias { .. }
        | op::Act::ListAliases => None,
    }
}

#[derive(Default)]
struct Texts {
    numbers: BTreeMap<String, Text>,
    all: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> Text {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = Text(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

type Contents = BTreeMap<RevisionId, (Text, Text, bool)>;

/// What `$LATEST` was under the revisions that answers show.
fn contents(sources: &[Source], texts: &mut Texts) -> Contents {
    let mut contents = Contents::new();
    let outcomes = sources.iter().filter_map(|s| s.outcome.as_ref());
    for seen in outcomes.flat_map(Outcome::versions) {
        if let (Version::Latest, Some(settled)) = (seen.version, seen.settled) {
            let content = (
                texts.number(&seen.marker),
                texts.number(&seen.code),
                settled,
            );
            contents.insert(seen.revision, content);
        }
    }
    contents
}

fn act(what: &What, contents: &Contents, texts: &mut Texts) -> Act {
    let What::Act(act) = what else {
        return Act::Listed;
    };
    let expect = |expected: &Option<RevisionId>| {
        expected.map(|revision| Expected {
            revision,
            content: contents.get(&revision).copied(),
        })
    };
    match act {
        op::Act::Create { marker, code } => Act::Create {
            marker: texts.number(marker),
            code: texts.number(code),
        },
        op::Act::UpdateConfiguration { marker, expected } => Act::Update {
            write: Write::Marker(texts.number(marker)),
            expected: expect(expected),
        },
        op::Act::UpdateCode { code, expected } => Act::Update {
            write: Write::Code(texts.number(code)),
            expected: expect(expected),
        },
        op::Act::Delete => Act::Delete,
        op::Act::DeleteVersion { version } => Act::DeleteVersion { number: *version },
        op::Act::Publish { marker, expected } => Act::Publish {
            marker: marker.as_deref().map(|m| texts.number(m)),
            expected: expect(expected),
        },
        op::Act::Get { version } => Act::Get { version: *version },
        op::Act::ListVersions => Act::ListVersions,
        op::Act::CreateAlias {
            alias,
            version,
            marker,
        } => Act::CreateAlias {
            name: texts.number(alias),
            version: *version,
            marker: texts.number(marker),
        },
        op::Act::UpdateAlias {
            alias,
            version,
            marker,
            expected,
        } => Act::UpdateAlias {
            name: texts.number(alias),
            version: *version,
            marker: marker.as_deref().map(|m| texts.number(m)),
            expected: *expected,
        },
        op::Act::DeleteAlias { alias } => Act::DeleteAlias {
            name: texts.number(alias),
        },
        op::Act::GetAlias { alias } => Act::GetAlias {
            name: texts.number(alias),
        },
        op::Act::ListAliases => Act::ListAliases,
    }
}

fn answer(outcome: &Outcome, texts: &mut Texts) -> Answer {
    let mut version = |seen: &op::SeenVersion| SeenVersion {
        version: seen.version,
        marker: texts.number(&seen.marker),
        code: texts.number(&seen.code),
        revision: seen.revision,
        settled: seen.settled,
    };
    match outcome {
        Outcome::Version(seen) => Answer::Version(version(seen)),
        Outcome::Versions(all) => Answer::Versions(all.iter().map(version).collect()),
        Outcome::Alias(seen) => Answer::Alias(alias(seen, texts)),
        Outcome::Aliases(all) => {
            Answer::Aliases(all.iter().map(|seen| alias(seen, texts)).collect())
        }
        Outcome::Functions(_) => Answer::Nonsense,
        Outcome::Nothing => Answer::Nothing,
        Outcome::NotFound => Answer::NotFound,
        Outcome::Conflict => Answer::Conflict,
        Outcome::PreconditionFailed => Answer::PreconditionFailed,
    }
}

fn alias(seen: &op::SeenAlias, texts: &mut Texts) -> SeenAlias {
    SeenAlias {
        name: texts.number(&seen.alias),
        version: seen.version,
        marker: texts.number(&seen.marker),
        revision: seen.revision,
    }
}
