//! What is told of a rollout beside its numbers.

use super::What;
use super::batch::Lane;
use super::rollout::Rollout;
use super::settings::Settings;

/// The event that tells of numbers that could not be read.
const SCRAPE_FAILED: &str = "scrape_failed";

/// Whether it says that numbers could not be read.
pub(super) fn is_failed_scrape(what: &What) -> bool {
    matches!(what, What::Event { event } if event == SCRAPE_FAILED)
}

impl Rollout {
    /// Whether the new version took over.
    pub fn is_completed(&self) -> bool {
        self.later.completed
    }

    /// Whether anything is known now that was not before.
    pub(super) fn event(&mut self, event: &str, lane: Lane, at_ms: u64, settings: &Settings) -> bool {
        let before = (self.watch.clone(), self.deployed_ms, self.later.completed);
        match event {
            SCRAPE_FAILED => {
                self.watch.scrape_failed(lane, at_ms);
                self.silence.scrape_failed(at_ms);
            }
            "completed" => self.later.completed = true,
            "deployed" | "released" | "resolved" if self.deployed_ms.is_none_or(|before| before < at_ms) => {
                self.deployed_ms = Some(at_ms);
                if self.batch_ms > settings.batch_ms {
                    self.rebatch(settings);
                }
                self.restart_at = Some((at_ms / self.batch_ms).max(self.closed_to));
                if event != "resolved" {
                    self.later.completed = false;
                    self.silence.restart();
                    self.watch.deployed();
                }
                if event == "deployed" {
                    self.silence.expect(at_ms, settings);
                }
            }
            _ => {}
        }
        before != (self.watch.clone(), self.deployed_ms, self.later.completed)
    }

    /// The canary is known to be out though it does not report, as its target is down: its silence
    /// counts before long.
    pub fn expect_canary(&mut self, at_ms: u64, settings: &Settings) {
        self.silence.expect(at_ms, settings);
    }
}
