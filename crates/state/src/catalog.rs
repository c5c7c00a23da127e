//! The catalog's content, and how it is read.

mod iam;
mod mappings;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    ops::Bound,
    sync::Arc,
};

use litemap::LiteMap;
use model::{
    AccountId, Alias, AliasName, CapacityProvider, CapacityProviderId, CodeSigningConfig,
    CodeSigningId, CodeSigningName, DataKey, Digest, EventSourceMapping, FunctionId, FunctionName,
    Generation, LayerId, Qualifier, Region, Setting, SettingKind, Version, VersionId,
    function::{FunctionVersion, LastUpdate, State},
    iam::{AccessKeyId, EntityId, EntityName, Shared},
    mapping::MappingId,
};

use crate::{Change, Key, LayerEntry, Record, answers::Answers};

/// Everything the cluster knows of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionEntry {
    /// The number that the next published version gets; 0 while the record itself has not arrived.
    pub next_version: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// See [`Record::Function`].
    pub published_description: String,
    /// See [`Record::Function`].
    pub code_signing: Option<CodeSigningName>,
    /// `$LATEST` and every published version. Most functions have one or a few: a tree would take ten times their space.
    pub versions: LiteMap<Version, Arc<FunctionVersion>>,
    /// Its aliases.
    pub aliases: BTreeMap<AliasName, Arc<Alias>>,
    /// What is set for it beside its configuration, by kind and place. Most functions have none.
    pub settings: BTreeMap<(SettingKind, Option<Qualifier>), Arc<Setting>>,
}

/// What an account uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Functions.
    pub functions: u64,
    /// Bytes of code over all versions, of functions and of layers.
    pub code: u64,
    /// Concurrent executions that are reserved for functions.
    pub reserved: u64,
}

/// Functions, layers, event source mappings and what belongs to them, and data keys, of every account.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub(crate) functions: BTreeMap<FunctionId, FunctionEntry>,
    pub(crate) mappings: BTreeMap<MappingId, Arc<EventSourceMapping>>,
    // Mappings that are in transition: what the leader's reconciler looks at.
    pub(crate) moving: BTreeSet<MappingId>,
    pub(crate) layers: BTreeMap<LayerId, LayerEntry>,
    // Bytes of code over all versions, of functions and of layers: every deployment asks.
    pub(crate) code: BTreeMap<(AccountId, Region), u64>,
    pub(crate) code_signing: BTreeMap<CodeSigningId, Arc<CodeSigningConfig>>,
    pub(crate) capacity: BTreeMap<CapacityProviderId, Arc<CapacityProvider>>,
    pub(crate) iam: BTreeMap<EntityId, Shared>,
    // The access keys of a user, or of the root of an account: the ids of keys say nothing of whose they are.
    pub(crate) keys_of: BTreeMap<(AccountId, Option<EntityName>), BTreeSet<AccessKeyId>>,
    pub(crate) answers: Answers,
    pub(crate) data_keys: BTreeMap<(AccountId, Generation), Arc<DataKey>>,
    // Versions whose creation or update has not ended: what the leader's reconciler looks at.
    pub(crate) unsettled: BTreeMap<VersionId, Arc<FunctionVersion>>,
    // See [`Record::Format`]; `None` while there is no such record.
    pub(crate) format: Option<u32>,
    // Functions that keep concurrency for themselves: whoever wants to keep more has to know what the others have.
    pub(crate) keeping: BTreeSet<FunctionId>,
}

impl FunctionEntry {
    /// `$LATEST`.
    #[must_use]
    pub fn latest(&self) -> Option<&Arc<FunctionVersion>> {
        self.versions.get(&Version::Latest)
    }

    /// The published versions, lowest first; the one without a number comes before all others.
    pub fn published(&self) -> impl Iterator<Item = &Arc<FunctionVersion>> {
        let published = |(version, _): &(&Version, _)| **version > Version::Latest;
        self.versions.iter().filter(published).map(|(_, v)| v)
    }

    fn is_gone(&self) -> bool {
        self.next_version == 0
            && self.versions.is_empty()
            && self.aliases.is_empty()
            && self.settings.is_empty()
    }
}

impl Catalog {
    /// The format that the cluster writes.
    #[must_use]
    pub fn format(&self) -> u32 {
        self.format.unwrap_or(1)
    }

    /// One function.
    #[must_use]
    pub fn function(&self, id: &FunctionId) -> Option<&FunctionEntry> {
        self.functions.get(id).filter(|f| f.latest().is_some())
    }

    /// One version.
    #[must_use]
    pub fn version(&self, id: &VersionId) -> Option<&Arc<FunctionVersion>> {
        self.function(&id.function)?.versions.get(&id.version)
    }

    /// One alias.
    #[must_use]
    pub fn alias(&self, function: &FunctionId, name: &AliasName) -> Option<&Arc<Alias>> {
        self.function(function)?.aliases.get(name)
    }

    /// The version that an invocation of this qualifier runs. `drawn` is an even draw from `0..1_000_000` that decides
    /// between an alias's version and its canary.
    #[must_use]
    pub fn resolve(
        &self,
        function: &FunctionId,
        qualifier: Option<&Qualifier>,
        drawn: u32,
    ) -> Option<&Arc<FunctionVersion>> {
        let entry = self.function(function)?;
        let version = match qualifier {
            // A function that has such a version runs it when nothing else is said.
            None if entry.versions.contains_key(&Version::LatestPublished) => {
                Version::LatestPublished
            }
            None => Version::Latest,
            Some(Qualifier::Version(v)) => *v,
            Some(Qualifier::Alias(a)) => entry.aliases.get(a)?.pick(drawn),
        };
        entry.versions.get(&version)
    }

    /// The functions of an account in a region with names after `after`, in the order of their names.
    pub fn functions(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<&FunctionName>,
    ) -> impl Iterator<Item = (&FunctionId, &FunctionEntry)> {
        let scope = region.clone();
        let lower = after.map_or(Bound::Unbounded, |name| {
            Bound::Excluded(FunctionId {
                account,
                region: region.clone(),
                name: name.clone(),
            })
        });
        // Without a marker the range starts at the first name that can exist in this scope.
        let lower = match (lower, "-".parse::<FunctionName>()) {
            (Bound::Unbounded, Ok(first)) => Bound::Included(FunctionId {
                account,
                region: region.clone(),
                name: first,
            }),
            (bound, _) => bound,
        };
        self.functions
            .range((lower, Bound::Unbounded))
            .take_while(move |(id, _)| id.account == account && id.region == scope)
            .filter(|(_, f)| f.latest().is_some())
    }

    /// How many functions there are, over all accounts and regions.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// What an account uses in a region.
    #[must_use]
    pub fn usage(&self, account: AccountId, region: &Region) -> Usage {
        let empty = Usage {
            code: self.code_bytes(account, region),
            ..Usage::default()
        };
        self.functions(account, region, None)
            .fold(empty, |usage, (_, f)| Usage {
                functions: usage.functions + 1,
                reserved: usage.reserved + u64::from(f.reserved().unwrap_or(0)),
                ..usage
            })
    }

    /// Bytes of code that an account has in a region, over all versions, of functions and of layers.
    #[must_use]
    pub fn code_bytes(&self, account: AccountId, region: &Region) -> u64 {
        let code = self.code.get(&(account, region.clone()));
        code.copied().unwrap_or(0)
    }

    /// Takes note that a version with so much code is there in place of one with so much.
    pub(crate) fn count_code(&mut self, account: AccountId, region: &Region, old: u64, new: u64) {
        if old == new {
            return;
        }
        let place = (account, region.clone());
        let bytes = self.code_bytes(account, region).saturating_sub(old);
        match bytes.saturating_add(new) {
            0 => drop(self.code.remove(&place)),
            bytes => drop(self.code.insert(place, bytes)),
        }
    }

    /// A data key of an account.
    #[must_use]
    pub fn data_key(&self, account: AccountId, generation: Generation) -> Option<&Arc<DataKey>> {
        self.data_keys.get(&(account, generation))
    }

    /// The data key that seals what is new.
    #[must_use]
    pub fn newest_data_key(&self, account: AccountId) -> Option<&Arc<DataKey>> {
        let all = (account, Generation::FIRST)..=(account, Generation::LAST);
        self.data_keys.range(all).next_back().map(|(_, key)| key)
    }

    /// Every data key of every account.
    pub fn data_keys(&self) -> impl Iterator<Item = &Arc<DataKey>> {
        self.data_keys.values()
    }

    /// Versions whose creation or update has not ended.
    pub fn unsettled(&self) -> impl Iterator<Item = &Arc<FunctionVersion>> {
        self.unsettled.values()
    }

    /// Every version of every function.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<FunctionVersion>> {
        self.functions.values().flat_map(|f| f.versions.values())
    }

    /// Every blob that a version of a function or of a layer needs.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        let layers = self.layers.values().flat_map(|l| l.versions.values());
        self.versions()
            .flat_map(|v| v.blobs())
            .chain(layers.map(|v| v.content.digest))
    }

    /// Every record, in no promised order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let functions = self.functions.iter().flat_map(|(id, f)| {
            let head = (f.next_version > 0).then(|| Record::Function {
                id: id.clone(),
                next_version: f.next_version,
                tags: f.tags.clone(),
                published_description: f.published_description.clone(),
                code_signing: f.code_signing,
            });
            let versions = f.versions.values().cloned().map(Record::Version);
            let settings = f
                .settings
                .iter()
                .map(|((_, place), setting)| Record::Setting {
                    function: id.clone(),
                    place: place.clone(),
                    setting: setting.clone(),
                });
            head.into_iter()
                .chain(versions)
                .chain(f.aliases.values().cloned().map(Record::Alias))
                .chain(settings)
        });
        let data_keys = self.data_keys.values().cloned().map(Record::DataKey);
        let mappings = self.mappings.values().cloned().map(Record::Mapping);
        functions
            .chain(data_keys)
            .chain(mappings)
            .chain(self.layer_records())
            .chain(self.code_signing.values().cloned().map(Record::CodeSigning))
            .chain(self.capacity.values().cloned().map(Record::Capacity))
            .chain(self.iam.values().cloned().map(Record::Iam))
            .chain(
                self.answers
                    .iter()
                    .cloned()
                    .map(|a| Record::Answer(Box::new(a))),
            )
            .chain(self.format.map(Record::Format))
    }

    /// Takes over one change that was applied elsewhere.
    pub fn put(&mut self, change: Change) {
        match change {
            Change::Put(Record::Function {
                id,
                next_version,
                tags,
                published_description,
                code_signing,
            }) => {
                let entry = self.functions.entry(id).or_default();
                entry.next_version = next_version;
                entry.tags = tags;
                entry.published_description = published_description;
                entry.code_signing = code_signing;
            }
            Change::Put(Record::Version(v)) => self.put_version(v),
            Change::Put(Record::Alias(a)) => {
                self.functions
                    .entry(a.function.clone())
                    .or_default()
                    .aliases
                    .insert(a.name.clone(), a);
            }
            Change::Put(Record::Setting {
                function,
                place,
                setting,
            }) => self.put_setting(function, place, setting),
            Change::Put(Record::DataKey(k)) => {
                self.data_keys.insert((k.account, k.generation), k);
            }
            Change::Put(Record::Mapping(m)) => self.put_mapping(m),
            Change::Put(Record::Layer { id, next_version }) => {
                self.layers.entry(id).or_default().next_version = next_version;
            }
            Change::Put(Record::LayerVersion(v)) => self.put_layer_version(v),
            Change::Put(Record::CodeSigning(c)) => {
                self.code_signing.insert(c.id.clone(), c);
            }
            Change::Put(Record::Capacity(c)) => {
                self.capacity.insert(c.id.clone(), c);
            }
            Change::Put(Record::Iam(e)) => {
                self.put_entity(e);
            }
            Change::Put(Record::Answer(a)) => self.answers.put(*a),
            Change::Put(Record::Format(format)) => self.format = Some(format),
            Change::Gone(key) => self.forget(&key),
        }
    }

    fn put_version(&mut self, version: Arc<FunctionVersion>) {
        if is_settled(&version) {
            self.unsettled.remove(&version.id);
        } else {
            self.unsettled.insert(version.id.clone(), version.clone());
        }
        let (id, size) = (version.id.function.clone(), version.code.size);
        let entry = self.functions.entry(id.clone()).or_default();
        let old = entry.versions.insert(version.id.version, version);
        let old = old.map_or(0, |old| old.code.size);
        self.count_code(id.account, &id.region, old, size);
    }

    fn forget(&mut self, key: &Key) {
        let id = match key {
            Key::Answer(key) => return self.answers.forget(*key),
            Key::Mapping(id) => return self.forget_mapping(id),
            Key::Format => {
                self.format = None;
                return;
            }
            Key::DataKey(account, generation) => {
                self.data_keys.remove(&(*account, *generation));
                return;
            }
            Key::Layer(id) => return self.forget_layer(id),
            Key::LayerVersion(id) => return self.forget_layer_version(id),
            Key::CodeSigning(id) => {
                self.code_signing.remove(id);
                return;
            }
            Key::Capacity(id) => {
                self.capacity.remove(id);
                return;
            }
            Key::Iam(id) => {
                self.remove_entity(id);
                return;
            }
            Key::Function(id) | Key::Alias(id, _) | Key::Setting(id, ..) => id,
            Key::Version(v) => {
                self.unsettled.remove(v);
                &v.function
            }
        };
        let btree_map::Entry::Occupied(mut entry) = self.functions.entry(id.clone()) else {
            return;
        };
        let mut freed = 0;
        match key {
            Key::Function(_) => {
                entry.get_mut().next_version = 0;
                entry.get_mut().tags.clear();
                entry.get_mut().published_description.clear();
                entry.get_mut().code_signing = None;
            }
            Key::Version(v) => {
                let gone = entry.get_mut().versions.remove(&v.version);
                freed = gone.map_or(0, |gone| gone.code.size);
            }
            Key::Alias(_, name) => {
                entry.get_mut().aliases.remove(name);
            }
            Key::Setting(_, kind, place) => {
                entry.get_mut().settings.remove(&(*kind, place.clone()));
                if !entry.get().keeps_concurrency() {
                    self.keeping.remove(id);
                }
            }
            Key::Answer(_)
            | Key::Format
            | Key::DataKey(..)
            | Key::Mapping(_)
            | Key::Layer(_)
            | Key::LayerVersion(_)
            | Key::CodeSigning(_)
            | Key::Capacity(_)
            | Key::Iam(_) => {}
        }
        if entry.get().is_gone() {
            entry.remove();
        }
        self.count_code(id.account, &id.region, freed, 0);
    }
}

fn is_settled(version: &FunctionVersion) -> bool {
    version.state != State::Pending && version.last_update != Some(LastUpdate::InProgress)
}
