//! What is common to records of several kinds.

use super::*;

#[test]
fn the_format_of_a_cluster_only_grows() {
    let mut cluster = Cluster::default();
    assert_eq!(cluster.catalog.format(), 1);
    for (asked, then) in [(1, 1), (2, 2), (1, 2), (2, 2), (4, 4), (3, 4)] {
        let before = cluster.catalog.format();
        let applied = cluster.step(0, Mutation::Finalize { format: asked });
        assert_eq!(applied.result, Ok(Changed::Nothing));
        assert_eq!(cluster.catalog.format(), then);
        assert_eq!(applied.changes.is_empty(), before == then);
        let mut copy = Catalog::default();
        for record in cluster.catalog.records() {
            assert_eq!(record.format(), then.max(2));
            copy.put(Change::Put(record));
        }
        assert_eq!(copy.format(), then);
    }
}

#[test]
fn an_alias_record_is_shared_not_copied() {
    let mut cluster = Cluster::created("f");
    cluster.run(publish("f")).unwrap();
    let Ok(Changed::Alias(made)) = cluster.run(create_alias("f", "live", number(1), None)) else {
        panic!("no alias")
    };
    let held: &Arc<Alias> = cluster
        .catalog
        .alias(&id("f"), &alias_name("live"))
        .unwrap();
    assert!(Arc::ptr_eq(&made, held));
}
