//! What control planes tell each other of their limits.

use crate::store::{Store, testing::on_both_databases};

on_both_databases!(each_hears_the_others_and_old_words_are_forgotten);

async fn each_hears_the_others_and_old_words_are_forgotten(store: Store) {
    let says = async |process: &str, tick: i64| {
        let heard = store.exchange_usage(process, tick, &format!("{process} at {tick}")).await.unwrap();
        heard.into_iter().map(|usage| (usage.process, usage.tick, usage.usage)).collect::<Vec<_>>()
    };
    let word = |process: &str, tick: i64| (process.to_owned(), tick, format!("{process} at {tick}"));
    assert_eq!(says("a", 1).await, []);
    assert_eq!(says("b", 1).await, [word("a", 1)]);
    assert_eq!(says("a", 2).await, [word("b", 1)]);
    assert_eq!(says("b", 2).await, [word("a", 1), word("a", 2)]);
    for tick in 3..=12 {
        says("a", tick).await;
    }
    assert_eq!(says("b", 3).await, (3..=12).map(|tick| word("a", tick)).collect::<Vec<_>>());
    store.forget_usage("a").await.unwrap();
    assert_eq!(says("b", 4).await, []);
}
