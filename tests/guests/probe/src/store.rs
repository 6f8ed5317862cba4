//! Key-value stores.

use spin_sdk::key_value::Store;

use crate::http::shown;

/// Longer than what Spin's documentation names as the longest key of its file.
const LONG_KEY_BYTES: usize = 1000;

/// Larger than what Spin's documentation names as the largest value of its file.
const BIG_VALUE_BYTES: usize = 8 << 20;

/// More than the stores that Spin's table held at a time in older versions.
const OPEN_STORES: usize = 300;

/// Everything one does with a store.
pub(crate) async fn usual(label: &str) -> String {
    let store = match Store::open(label).await {
        Ok(store) => store,
        Err(error) => return format!("open: error {error:?}"),
    };
    let mut lines = vec![
        format!("set: {}", shown(store.set("probe/a", b"1").await)),
        format!("get: {}", shown(store.get("probe/a").await)),
        format!("get nothing: {}", shown(store.get("probe/none").await)),
        format!("exists: {}", shown(store.exists("probe/a").await)),
    ];
    let keys = store.get_keys().await.collect().await.map(|mut keys| {
        keys.retain(|key| key.starts_with("probe/"));
        keys
    });
    lines.push(format!("keys: {}", shown(keys)));
    lines.push(format!("delete: {}", shown(store.delete("probe/a").await)));
    lines.push(format!("exists after: {}", shown(store.exists("probe/a").await)));
    lines.join("\n")
}

/// What is at the edges: nothing there, nothing in it, very long, very many.
pub(crate) async fn edges(label: &str) -> String {
    let store = match Store::open(label).await {
        Ok(store) => store,
        Err(error) => return format!("open: error {error:?}"),
    };
    let long = "k".repeat(LONG_KEY_BYTES);
    let big = vec![7; BIG_VALUE_BYTES];
    let mut lines = vec![
        format!("exists nothing: {}", shown(store.exists("probe/none").await)),
        format!("delete nothing: {}", shown(store.delete("probe/none").await)),
        format!("set empty key: {}", shown(store.set("", b"e").await)),
        format!("get empty key: {}", shown(store.get("").await)),
        format!("exists empty key: {}", shown(store.exists("").await)),
        format!("delete empty key: {}", shown(store.delete("").await)),
        format!("set empty value: {}", shown(store.set("probe/v", b"").await)),
        format!("get empty value: {}", shown(store.get("probe/v").await)),
        format!("exists empty value: {}", shown(store.exists("probe/v").await)),
        format!("set again: {}", shown(store.set("probe/v", b"2").await)),
        format!("get again: {}", shown(store.get("probe/v").await)),
        format!("set long key: {}", shown(store.set(&long, b"3").await)),
        format!("get long key: {}", shown(store.get(&long).await)),
        format!("set big: {}", shown(store.set("probe/big", &big).await)),
        format!("big is whole: {}", shown(store.get("probe/big").await.map(|got| got == Some(big)))),
    ];
    let mut open = Vec::new();
    for _ in 0..OPEN_STORES {
        open.push(Store::open(label).await);
    }
    lines.push(format!("open at once: {}", open.iter().filter(|store| store.is_ok()).count()));
    lines.join("\n")
}

/// The length of a key's value in the default store, whoever wrote it.
pub(crate) async fn length(key: &str) -> String {
    match Store::open("default").await {
        Ok(store) => shown(store.get(key).await.map(|value| value.map(|value| value.len()))),
        Err(error) => format!("open: error {error:?}"),
    }
}

/// A key of the default store, written by anyone.
pub(crate) async fn kept(key: &str) -> String {
    match Store::open("default").await {
        Ok(store) => shown(store.get(key).await),
        Err(error) => format!("open: error {error:?}"),
    }
}
