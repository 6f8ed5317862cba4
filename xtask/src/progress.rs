//! Numbered steps, so that a person always sees what is being done and how much is left.
//!
//! What this does not do: run anything.
//! Invariant: a step that ended well says how long it took; one that failed is named in the error.

use std::time::Instant;

use anyhow::{Context, Result};

/// A counter of steps out of a known total.
#[derive(Debug)]
pub(crate) struct Steps {
    at: usize,
    total: usize,
}

impl Steps {
    /// Steps of which `before` were already shown by somebody else.
    pub(crate) fn after(before: usize, own: usize) -> Self {
        Self { at: before, total: before + own }
    }

    /// Does one step.
    ///
    /// # Errors
    /// The step's own, under the step's name.
    pub(crate) fn step(&mut self, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.at += 1;
        eprintln!("[{}/{}] {what}", self.at, self.total);
        let started = Instant::now();
        work().with_context(|| format!("step {}, {what}", self.at))?;
        eprintln!("      done in {:.1} s", started.elapsed().as_secs_f64());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_later_ones_go_on_counting() {
        let mut steps = Steps::after(2, 2);
        steps.step("first", || Ok(())).unwrap();
        let error = steps.step("second", || anyhow::bail!("no")).unwrap_err();
        assert_eq!(format!("{error:#}"), "step 4, second: no");
    }
}
