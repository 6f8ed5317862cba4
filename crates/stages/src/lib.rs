//! stages.
