//! Readers of "alertmanager", "grafana", "datadog", "pagerduty": no input panics, and what comes out holds its bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeostat_fuzz::read(&["alertmanager", "grafana", "datadog", "pagerduty"], input));
