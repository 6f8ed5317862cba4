//! Redis itself: there, taking writes, durable, keeping everything, and of one mind about the time.
//!
//! Does not: write more than the probe that `/ready` writes too; what a managed Redis does not tell
//! is skipped.

use std::collections::BTreeMap;

use homeostat_adapter_native::NativeRedis;
use homeostat_flow::name::cell_key;
use homeostat_flow::probe::takes_writes;
use homeostat_flow::{Redis, Reply, ScriptStore};

use super::app::Seen;
use super::finding::Finding;
use super::machine::{REDIS_MIN, version_in};
use super::setup::{Origin, Setup};
use crate::cli::output;
use crate::compose::cell;
use crate::durability::{Judged, SETTINGS, Told, judge};
use crate::trigger_redis::shown;

const CHECK: &str = "redis";

/// A skew above this shows in timelines, milliseconds.
const SKEW_WARN_MS: u64 = 2_000;

/// A skew above this makes fresh events look stale before long, milliseconds: events count as
/// fresh for 15 minutes.
const SKEW_WRONG_MS: u64 = 60_000;

/// The share of its memory, in percent, above which Redis needs room soon.
const MEMORY_WARN_PERCENT: u64 = 80;

/// The store, when Redis answered.
pub(super) async fn look(
    setup: &Setup,
    seen: &Seen,
    findings: &mut Vec<Finding>,
) -> Option<ScriptStore<NativeRedis>> {
    let Some((url, origin)) = &setup.redis else {
        findings.push(Finding::skip(
            CHECK,
            "no server is known here; --redis names one, --state-dir the app's folder",
        ));
        return None;
    };
    let place = format!("{} ({origin})", shown(url));
    let redis = match NativeRedis::new(url) {
        Ok(redis) => redis,
        Err(error) => {
            findings.push(Finding::wrong(CHECK, format!("{place}: {error}"), "expected redis://HOST:PORT"));
            return None;
        }
    };
    if let Err(error) = redis.command("PING", &[]).await {
        findings.push(unreachable(&place, *origin, seen.serves_here(), &error.to_string()));
        return None;
    }
    findings.push(Finding::ok(CHECK, format!("answers at {place}")));
    findings.push(writable(&redis).await);
    findings.extend(durability(&told(&redis).await));
    findings.extend(info(&redis).await);
    findings.extend(skew(&redis).await);
    findings.extend(shards(&redis).await);
    Some(ScriptStore::new(redis, cell()))
}

async fn writable(redis: &NativeRedis) -> Finding {
    match takes_writes(redis).await {
        Ok(()) => Finding::ok(CHECK, "takes writes"),
        Err(refused) => {
            let text = format!("takes no writes, so every webhook is refused: {}", refused.error);
            Finding::wrong(CHECK, text, format!("{}; docs/runbooks/not-ready.md", refused.mend))
        }
    }
}

fn unreachable(place: &str, origin: Origin, app_serves: bool, error: &str) -> Finding {
    let text = format!("{place}: {error}");
    if origin == Origin::Named && ["NOAUTH", "WRONGPASS"].iter().any(|word| error.contains(word)) {
        return Finding::skip(
            CHECK,
            format!("{text}; the password is not kept: give the address with it by --redis"),
        );
    }
    if origin == Origin::Private && !app_serves {
        return Finding::skip(CHECK, format!("{text}; `homeostat up` starts it"));
    }
    let mend =
        "start it, or mend the address; docs/runbooks/redis-unreachable.md says what stands still meanwhile";
    Finding::wrong(CHECK, text, mend)
}

/// What it tells of its durability, as far as it tells.
async fn told(redis: &NativeRedis) -> Told {
    let mut told = Told::new();
    for name in SETTINGS {
        // Refused by many managed servers: then it is simply not known.
        let Ok(reply) = redis.command("CONFIG", &[b"GET", name.as_bytes()]).await else { continue };
        if let Some(value) = reply.get(1) {
            told.insert(name.to_owned(), value.text());
        }
    }
    told
}

/// The same whoever told: the server itself, or the app that asked it.
pub(super) fn durability(told: &Told) -> Vec<Finding> {
    let finding = |judged| match judged {
        Judged::Good(text) => Finding::ok(CHECK, text),
        Judged::Untold(text) => Finding::skip(CHECK, text),
        Judged::Weak(fault) => Finding::warn(CHECK, fault.text, fault.mend),
        Judged::Lossy(fault) => Finding::wrong(CHECK, fault.text, fault.mend),
    };
    judge(told).into_iter().map(finding).collect()
}

/// Version, memory, and whether the last writes to disk worked.
async fn info(redis: &NativeRedis) -> Vec<Finding> {
    let mut text = String::new();
    for section in ["server", "memory", "persistence", "replication"] {
        let Ok(reply) = redis.command("INFO", &[section.as_bytes()]).await else { continue };
        text.push_str(&reply.first().map(Reply::text).unwrap_or_default());
    }
    let fields = text.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    judge_info(&fields)
}

fn judge_info(fields: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    if let Some(version) = fields.get("redis_version").and_then(|text| version_in(text)) {
        let text = format!("is version {}.{}", version.0, version.1);
        let (major, minor) = REDIS_MIN;
        findings.push(if version >= REDIS_MIN {
            Finding::ok(CHECK, text)
        } else {
            Finding::wrong(CHECK, text, format!("upgrade it to {major}.{minor} or later"))
        });
    }
    if fields.get("role").is_some_and(|role| *role != "master") {
        let mend = "name the primary; Homeostat writes with every event";
        findings.push(Finding::wrong(CHECK, "is a replica, which takes no writes", mend));
    }
    for (field, what) in
        [("aof_last_write_status", "last write"), ("aof_last_bgrewrite_status", "last rewrite")]
    {
        if fields.get(field).is_some_and(|status| *status != "ok") {
            let mend = "make room on its disk and look at its log; docs/runbooks/disk-full.md";
            findings.push(Finding::wrong(CHECK, format!("the {what} of its append-only file failed"), mend));
        }
    }
    findings.extend(memory(number("used_memory"), number("maxmemory")));
    findings
}

/// In bytes; a limit of zero is none.
fn memory(used: u64, most: u64) -> Option<Finding> {
    let text = format!("uses {} of the {} MB it may", used >> 20, most >> 20);
    if most == 0 || used.saturating_mul(100) / most <= MEMORY_WARN_PERCENT {
        return None;
    }
    Some(if used >= most {
        Finding::wrong(CHECK, format!("{text}, and refuses every webhook"), "raise maxmemory")
    } else {
        Finding::warn(CHECK, text, "raise maxmemory: at the limit it refuses every webhook")
    })
}

async fn skew(redis: &NativeRedis) -> Option<Finding> {
    let before = output::now_ms();
    let reply = redis.command("TIME", &[]).await.ok()?;
    let after = output::now_ms();
    let part =
        |index: usize| reply.get(index).and_then(Reply::number).and_then(|part| u64::try_from(part).ok());
    let theirs = part(0)?.checked_mul(1_000)?.checked_add(part(1)? / 1_000)?;
    Some(judge_skew(theirs, before, after))
}

/// The distance of its clock from the span in which it was asked.
fn judge_skew(theirs: u64, before: u64, after: u64) -> Finding {
    let skew = before.saturating_sub(theirs).max(theirs.saturating_sub(after));
    let text = format!("its clock and this machine's are {skew} ms apart");
    let mend = "let both machines follow NTP (timedatectl set-ntp true); docs/runbooks/clock-skew.md";
    match skew {
        ..=SKEW_WARN_MS => Finding::ok("clock", text),
        skew if skew <= SKEW_WRONG_MS => Finding::warn("clock", text, mend),
        _ => Finding::wrong("clock", text, mend),
    }
}

async fn shards(redis: &NativeRedis) -> Option<Finding> {
    let reply = redis.command("HGET", &[cell_key().as_bytes(), b"shards"]).await.ok()?;
    let stored = reply.first().and_then(Reply::number)?;
    let expected = cell().shards();
    let text = format!("holds an installation of {stored} shards");
    Some(if stored == i64::from(expected) {
        Finding::ok(CHECK, text)
    } else {
        let mend = "use the version of homeostat that set it up, or an empty Redis";
        Finding::wrong(CHECK, format!("{text}, but this version expects {expected}"), mend)
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::durability::RUNBOOK;

    #[test]
    fn a_server_that_is_away_is_wrong_unless_up_would_start_it() {
        let check = |origin, app_serves, error: &str, level| {
            assert_eq!(
                unreachable("redis://h:1", origin, app_serves, error).level,
                level,
                "{origin:?} {error}"
            );
        };
        check(Origin::Private, false, "refused", Level::Skip);
        check(Origin::Private, true, "refused", Level::Wrong);
        check(Origin::Named, false, "refused", Level::Wrong);
        check(Origin::Named, true, "NOAUTH Authentication required.", Level::Skip);
        check(Origin::Given, false, "NOAUTH Authentication required.", Level::Wrong);
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn only_what_survives_a_power_cut_and_drops_nothing_is_fit() {
        use Level::{Ok, Skip, Warn, Wrong};
        let check = |told: &[(&str, &str)], expected: &[Level]| {
            let told = told.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let findings = durability(&told);
            assert_eq!(levels(&findings), expected, "{told:?}");
            let mends = findings.iter().filter_map(|finding| finding.mend.as_deref());
            assert!(mends.clone().all(|mend| mend.contains(RUNBOOK)), "{findings:?}");
        };
        let fsync = |value| ("appendfsync", value);
        let policy = |value| ("maxmemory-policy", value);
        check(&[("appendonly", "yes"), fsync("always"), policy("noeviction")], &[Ok, Ok]);
        check(&[("appendonly", "yes"), fsync("everysec"), policy("noeviction")], &[Warn, Ok]);
        check(&[("appendonly", "no"), fsync("always"), policy("allkeys-lru")], &[Wrong, Wrong]);
        check(&[], &[Skip]);
    }

    #[test]
    fn what_redis_says_of_itself_is_judged() {
        use Level::{Ok, Warn, Wrong};
        let check = |text: &str, expected: &[Level]| {
            let fields = text.split(' ').filter_map(|line| line.split_once(':')).collect();
            assert_eq!(levels(&judge_info(&fields)), expected, "{text}");
        };
        check("redis_version:7.0.15 role:master aof_last_write_status:ok used_memory:1 maxmemory:0", &[Ok]);
        check("redis_version:6.2.0", &[Wrong]);
        check("role:slave", &[Wrong]);
        check("aof_last_write_status:err aof_last_bgrewrite_status:err", &[Wrong, Wrong]);
        check("used_memory:80 maxmemory:100", &[]);
        check("used_memory:81 maxmemory:100", &[Warn]);
        check("used_memory:99 maxmemory:100", &[Warn]);
        check("used_memory:100 maxmemory:100", &[Wrong]);
        check("used_memory:101 maxmemory:100", &[Wrong]);
        check("", &[]);
    }

    #[test]
    fn a_clock_is_judged_by_its_distance() {
        let check =
            |theirs, level| assert_eq!(judge_skew(theirs, 1_000_000, 1_000_010).level, level, "{theirs}");
        check(1_000_005, Level::Ok);
        check(1_002_010, Level::Ok);
        check(1_002_011, Level::Warn);
        check(997_999, Level::Warn);
        check(1_060_011, Level::Wrong);
        check(0, Level::Wrong);
    }
}
