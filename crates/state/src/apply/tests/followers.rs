//! Whoever follows a catalog sees what its author sees.

use super::*;

pub(super) fn any_mutation() -> impl Strategy<Value = Mutation> {
    let name = prop::sample::select(vec!["f", "g"]);
    let version = prop::sample::select(vec![
        Version::Latest,
        Version::LatestPublished,
        number(1),
        number(2),
        number(3),
    ]);
    let alias = prop::sample::select(vec!["live", "next"]);
    let canary = prop::option::of((1u64..4, 0.0f64..1.0));
    prop_oneof![
        (name.clone(), any::<bool>()).prop_map(|(n, p)| create(n, p)),
        (name.clone(), 1u8..4).prop_map(|(n, c)| update_code(n, c)),
        name.clone().prop_map(publish),
        name.clone().prop_map(resources::publish_latest),
        (name.clone(), prop::bool::ANY)
            .prop_map(|(n, p)| { resources::create_on(n, "p", p.then_some(Publication::Latest)) }),
        (name.clone(), prop::option::of(version.clone())).prop_map(|(n, v)| {
            Mutation::DeleteFunction {
                function: id(n),
                version: v,
            }
        }),
        (name.clone(), alias.clone(), version.clone(), canary.clone())
            .prop_map(|(n, a, v, c)| create_alias(n, a, v, c)),
        (
            name.clone(),
            alias.clone(),
            prop::option::of(version),
            prop::option::of(canary)
        )
            .prop_map(|(n, a, v, c)| {
                let canary = c.map(|c| {
                    c.map(|(v, w)| Canary {
                        version: v.try_into().unwrap(),
                        weight: Weight::from_fraction(w).unwrap(),
                    })
                });
                Mutation::UpdateAlias {
                    function: id(n),
                    name: alias_name(a),
                    version: v,
                    canary,
                    description: None,
                    expected: None,
                }
            }),
        (name, alias).prop_map(|(n, a)| Mutation::DeleteAlias {
            function: id(n),
            name: alias_name(a)
        }),
        (1u32..3, any::<u8>()).prop_map(|(generation, byte)| Mutation::PutDataKey {
            account: model::AccountId::DEFAULT,
            generation: Generation::new(generation).unwrap(),
            wrapped: wrapped(byte),
        }),
        (1u32..3, any::<u8>(), any::<u8>()).prop_map(|(generation, old, new)| {
            Mutation::RewrapDataKey {
                account: model::AccountId::DEFAULT,
                generation: Generation::new(generation).unwrap(),
                old: wrapped(old),
                new: wrapped(new),
            }
        }),
        iam::any_mutation(),
        layers::any_mutation(),
        resources::any_mutation(),
    ]
}

fn any_step() -> impl Strategy<Value = Mutation> {
    prop_oneof![any_mutation(), settings::any_change()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any sequence keeps the invariants; a follower fed with the changes, and one fed with the records, equal the original.
    #[test]
    fn followers_see_what_the_author_sees(steps in prop::collection::vec((any_step(), 0u128..6, any::<bool>()), 1..40)) {
        let mut cluster = Cluster::default();
        let mut follower = Catalog::default();
        for (mutation, key, settle) in steps {
            let name = mutation.function().map_or_else(String::new, |f| f.name.to_string());
            let applied = cluster.step(key, mutation);
            for change in applied.changes {
                follower.put(change);
            }
            if settle {
                let open: Vec<_> = cluster.catalog.unsettled().filter(|v| v.id.function.name.as_str() == name).cloned().collect();
                for v in open {
                    let applied = cluster.step(0, Mutation::Settle { version: v.id.clone(), revision: v.revision_id, failure: None });
                    for change in applied.changes {
                        follower.put(change);
                    }
                }
            }
        }
        let mut restored = Catalog::default();
        for record in cluster.catalog.records() {
            restored.put(Change::Put(record));
        }
        prop_assert_eq!(&follower.functions, &cluster.catalog.functions);
        prop_assert_eq!(&restored.functions, &cluster.catalog.functions);
        prop_assert_eq!(&follower.data_keys, &cluster.catalog.data_keys);
        prop_assert_eq!(&restored.data_keys, &cluster.catalog.data_keys);
        prop_assert_eq!(&follower.layers, &cluster.catalog.layers);
        prop_assert_eq!(&follower.code_signing, &cluster.catalog.code_signing);
        prop_assert_eq!(&restored.code_signing, &cluster.catalog.code_signing);
        prop_assert_eq!(&follower.capacity, &cluster.catalog.capacity);
        prop_assert_eq!(&restored.capacity, &cluster.catalog.capacity);
        prop_assert_eq!(&follower.iam, &cluster.catalog.iam);
        prop_assert_eq!(&restored.iam, &cluster.catalog.iam);
        prop_assert_eq!(&restored.layers, &cluster.catalog.layers);
        prop_assert_eq!(&restored.unsettled, &cluster.catalog.unsettled);
        prop_assert_eq!(&follower.unsettled, &cluster.catalog.unsettled);
        prop_assert_eq!(&restored.keeping, &cluster.catalog.keeping);
        prop_assert_eq!(&follower.keeping, &cluster.catalog.keeping);
    }
}
