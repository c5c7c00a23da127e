//! Which faults a run has, and when.

use std::time::Duration;

use host::Entropy;

use crate::{
    faults::{self, Fault, FaultEntry, Reach},
    options::Options,
};

/// Faults that take from a controller what it had. Only one controller of a run may suffer that, or a majority could forget; so
/// where every node is one, a second kind of these would never fire.
const FORGET: [&str; 3] = ["bit-rot", "lost-disk", "membership"];

/// A fault of a run.
pub(crate) struct Planned {
    pub(crate) entry: FaultEntry,
    pub(crate) fault: Box<dyn Fault>,
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
    pub(crate) begun: bool,
    pub(crate) over: bool,
    /// Whether it has made a difference.
    pub(crate) felt: bool,
    /// Its place among the troubles of the run.
    pub(crate) trouble: Option<usize>,
}

impl Planned {
    fn new(entry: FaultEntry, begin: u64, end: u64) -> Self {
        Self {
            fault: (entry.make)(),
            entry,
            begin: Duration::from_millis(begin),
            end: Duration::from_millis(end),
            begun: false,
            // Not before clients work.
            over: true,
            felt: false,
            trouble: None,
        }
    }

    /// Another attempt at it.
    pub(crate) fn renew(&mut self, begin: Duration, end: Duration) {
        self.fault = (self.entry.make)();
        (self.begin, self.end) = (begin, end);
        (self.begun, self.over) = (false, false);
        self.trouble = None;
    }
}

/// The faults of a run, with times from the beginning of its safety phase.
///
/// # Errors
/// If an option names nothing.
pub(crate) fn draw(options: &Options, entropy: &dyn Entropy) -> Result<Vec<Planned>, String> {
    let mut names: Vec<String> = options.faults.clone();
    if names.is_empty() {
        let all = faults::all();
        let leading = all.iter().filter(|f| f.changes_leader);
        names.extend(weighted(&leading.collect::<Vec<_>>(), entropy));
        for _ in 0..2 + entropy.below(4) {
            let of_another = |name: &str| {
                FORGET.contains(&name)
                    && names
                        .iter()
                        .any(|n| n != name && FORGET.contains(&n.as_str()))
            };
            let fit: Vec<_> = all.iter().filter(|f| !of_another(f.name)).collect();
            names.extend(weighted(&fit, entropy));
        }
    }
    let millis = u64::try_from(options.duration().as_millis()).unwrap_or(u64::MAX);
    let mut planned = Vec::new();
    for name in names {
        let mut all = faults::all();
        let known = all.iter().position(|f| f.name == name);
        let known = known.ok_or_else(|| format!("expected the name of a fault, got {name}"))?;
        let entry = all.swap_remove(known);
        // Longer than an election takes, if there is to be one.
        let least = if entry.changes_leader { 2000 } else { 500 };
        let begin = 200 + entropy.below(millis.saturating_sub(least + 1000).max(1));
        let end = begin + least + entropy.below(5000);
        planned.push(Planned::new(entry, begin, end.min(millis)));
    }
    if entropy.below(2) == 0 {
        put_zone_first(&mut planned, entropy);
    }
    Ok(planned)
}

/// Lets a zone be lost before anything else is broken, and the rest of a run for the rest: with something else broken, little
/// is owed while a zone is down.
fn put_zone_first(planned: &mut [Planned], entropy: &dyn Entropy) {
    let Some(first) = planned.iter().position(|p| p.entry.reach == Reach::Zone) else {
        return;
    };
    // Clients have functions by then.
    let begin = Duration::from_millis(1500 + entropy.below(1000));
    let alone = begin + Duration::from_millis(2000);
    for (n, one) in planned.iter_mut().enumerate() {
        if n == first {
            one.begin = begin;
            one.end = alone + Duration::from_millis(entropy.below(1500));
        } else if one.begin < alone {
            one.begin += alone;
            one.end += alone;
        }
    }
}

fn weighted(from: &[&FaultEntry], entropy: &dyn Entropy) -> Option<String> {
    let mut drawn = entropy.below(from.iter().map(|f| f.weight).sum());
    for entry in from {
        if drawn < entry.weight {
            return Some(entry.name.to_owned());
        }
        drawn -= entry.weight;
    }
    None
}
