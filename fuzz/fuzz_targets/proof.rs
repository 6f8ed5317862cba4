//! Every source's schemes of proof: no input panics, and nobody without the secret gets in.
#![no_main]

use homeostat_schema::secret::SecretList;
use homeostat_sources::{Claim, Instance, Source};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let names: Vec<&'static str> = Source::ALL.iter().map(|source| source.name()).collect();
    let Some((source, headers, body)) = homeostat_fuzz::split(&names, input) else { return };
    for secrets in ["", "a secret that no input holds: 6dfa3c1e"] {
        let list = SecretList::parse(secrets);
        let claim = Claim { headers: &headers, body, now_ms: 1_700_000_000_000 };
        assert!(Instance::from(source).authenticate(&claim, &list).is_err(), "{source:?} let a forgery in");
    }
});
