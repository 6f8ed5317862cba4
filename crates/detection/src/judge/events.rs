//! What is told of a rollout beside its numbers.

use super::What;
use super::batch::Lane;
use super::rollout::Rollout;
use super::settings::Settings;
use super::watch::Blindness;

/// Whether it says that numbers could not be read.
pub(super) fn is_failed_scrape(what: &What) -> bool {
    matches!(what, What::Event { event } if event == What::SCRAPE_FAILED)
}

impl Rollout {
    /// Whether the new version took over.
    pub fn is_completed(&self) -> bool {
        self.later.completed
    }

    /// Whether nothing can be said as a scrape failed.
    pub fn is_unread(&self, settings: &Settings) -> bool {
        self.blindness(settings) == Some(Blindness::ScrapeFailed)
    }

    /// Whether anything is known now that was not before.
    pub(super) fn event(&mut self, event: &str, lane: Lane, at_ms: u64, settings: &Settings) -> bool {
        let before = (self.watch.clone(), self.deployed_ms, self.later.completed);
        match event {
            What::SCRAPE_FAILED => {
                self.watch.scrape_failed(lane, at_ms);
                self.silence.scrape_failed(at_ms);
            }
            What::COMPLETED => self.later.completed = true,
            What::DEPLOYED | What::RELEASED | What::RESOLVED if self.is_news(at_ms) => {
                self.begin_again(at_ms, settings);
                if event == What::RESOLVED {
                    self.silence.forgive();
                } else {
                    self.later.completed = false;
                    self.silence.restart();
                    self.watch.deployed();
                }
                if event == What::DEPLOYED {
                    self.silence.expect(at_ms, settings);
                }
            }
            _ => {}
        }
        before != (self.watch.clone(), self.deployed_ms, self.later.completed)
    }

    fn is_news(&self, at_ms: u64) -> bool {
        self.deployed_ms.is_none_or(|before| before < at_ms)
    }

    /// What was seen before this time is no longer held against the new version, nor for it.
    fn begin_again(&mut self, at_ms: u64, settings: &Settings) {
        self.deployed_ms = Some(at_ms);
        if self.batch_ms > settings.batch_ms {
            self.rebatch(settings);
        }
        self.restart_at = Some((at_ms / self.batch_ms).max(self.closed_to));
    }

    /// The canary is known to be out though it does not report, as its target is down: its silence
    /// counts before long.
    pub fn expect_canary(&mut self, at_ms: u64, settings: &Settings) {
        self.silence.expect(at_ms, settings);
    }
}
