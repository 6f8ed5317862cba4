//! Readers of "jenkins", "circleci", "buildkite", "azure-devops", "tekton": no input panics, and what comes out holds its bounds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| homeostat_fuzz::read(&["jenkins", "circleci", "buildkite", "azure-devops", "tekton"], input));
