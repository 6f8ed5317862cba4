//! The queue of a service: what it reports of it becomes a forecast, and that becomes a finding when
//! the queue is going to pass its limit within the hour (see [`crate::capacity`]).
//!
//! A report names the items that wait (`queue`) and those that arrive in a second (`load`), and the
//! replicas that work (`replicas`; once told it holds until told again). The load's means over five
//! minutes are forecast ten minutes and an hour ahead, the latter with the time of day
//! ([`crate::series::forecast`]). A forecast speaks once it was held against twelve means: after an
//! hour and ten minutes the nearer one does, after two hours both. Until then nothing is found.
//!
//! Invariants: a report not newer than the last one changes nothing; the state is below 6 KB, and is
//! there only for a service whose configuration says what it can carry.

use homeostat_schema::types::{Event, EventKind, Evidence};
use serde::{Deserialize, Serialize};

use crate::{
    capacity::{self, Ahead, Capacity, Now},
    number::float,
    observation::named,
    progress::happened_ms,
    score::{Part, Standing},
    series::forecast::{AHEAD_STEPS_MAX, Forecast, SEASON_STEPS_MAX},
    stored, text,
};

/// Loads are averaged over this.
const STEP_MS: u64 = 300_000;
/// The nearer distance: in this time new replicas are there ([`capacity::LEAD_MS`]).
const NEAR_STEPS: u16 = 2;
/// A forecast speaks once it was held against so many means.
const JUDGED_MIN: u32 = 12;
/// After a longer gap everything is learned anew: nobody knows what time of day it is by its steps.
const GAP_STEPS_MAX: u64 = SEASON_STEPS_MAX as u64;

/// The state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Queue {
    #[serde(default = "yes")]
    seasonal: bool,
    capacity: Capacity,
    #[serde(with = "stored::text")]
    near: Forecast,
    #[serde(with = "stored::text")]
    far: Forecast,
    /// The step that is being averaged, its sum of loads and their number.
    step: u64,
    sum: f64,
    count: u64,
    last: Report,
    /// Whether it would pass as things are now.
    passes: bool,
    /// Replicas that would do, by the last word.
    wanted: Option<u32>,
    text: String,
}

/// What a service said of its queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Report {
    at_ms: u64,
    event: String,
    queue: f64,
    load: f64,
    replicas: u32,
}

impl Queue {
    /// Nothing heard yet; whether the load may follow the time of day.
    pub(crate) fn new(seasonal: bool) -> Self {
        let season = if seasonal { SEASON_STEPS_MAX } else { 0 };
        Self {
            seasonal,
            capacity: Capacity::default(),
            near: Forecast::new(NEAR_STEPS, 0),
            far: Forecast::new(AHEAD_STEPS_MAX, season),
            step: 0,
            sum: 0.0,
            count: 0,
            last: Report::default(),
            passes: false,
            wanted: None,
            text: String::new(),
        }
    }
}

fn yes() -> bool {
    true
}

/// Whether an event tells of a queue.
pub(crate) fn is_told(event: &Event) -> bool {
    event.kind == EventKind::Observation && number(event, "queue").is_some()
}

impl Queue {
    /// Takes a report; true when it opens the finding.
    pub(crate) fn take(&mut self, event: &Event, settings: &capacity::Settings) -> bool {
        let Some(report) = self.report(event) else { return false };
        self.average(&report);
        self.last = report;
        let before = self.is_passing();
        let judged = self.capacity.observe(&self.now(), &self.ahead(), settings);
        self.passes = judged.passes_in_ms.is_some();
        (self.wanted, self.text) = (judged.wanted, judged.text);
        self.is_passing() && !before
    }

    /// Whether the finding is open.
    pub(crate) fn is_passing(&self) -> bool {
        self.capacity.is_passing()
    }

    fn report(&self, event: &Event) -> Option<Report> {
        let at_ms = happened_ms(event);
        let newer = at_ms > self.last.at_ms;
        let told = number(event, "replicas").filter(|replicas| *replicas <= f64::from(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to u32::MAX")]
        let replicas = told.map_or(self.last.replicas, |replicas| replicas.round() as u32);
        let (queue, load) = (number(event, "queue")?, number(event, "load")?);
        (newer && replicas > 0).then(|| Report { at_ms, event: text::key(&event.id), queue, load, replicas })
    }

    /// Closes the steps that are over. One of which nothing was told repeats the one before it.
    fn average(&mut self, report: &Report) {
        let step = report.at_ms / STEP_MS;
        let over = step.saturating_sub(self.step);
        if self.count > 0 && over > GAP_STEPS_MAX {
            *self = Self::new(self.seasonal);
        }
        if self.count > 0 && over > 0 {
            let mean = self.sum / float(self.count);
            for past in 0..over {
                let value = if past == 0 { mean } else { f64::NAN };
                self.near.observe(value);
                self.far.observe(value);
            }
            (self.sum, self.count) = (0.0, 0);
        }
        self.step = step;
        self.sum += report.load;
        self.count += 1;
    }

    fn now(&self) -> Now {
        let Report { at_ms, queue, load, replicas, .. } = self.last;
        Now { at_ms, replicas, queue, load }
    }

    /// What the forecasts that may speak say: of a time after the step that is being averaged began.
    fn ahead(&self) -> Vec<Ahead> {
        let begun_ms = self.last.at_ms % STEP_MS;
        let said = [(NEAR_STEPS, &self.near), (AHEAD_STEPS_MAX, &self.far)].into_iter();
        said.filter(|(_, forecast)| forecast.judged() >= JUDGED_MIN)
            .filter_map(|(steps, forecast)| {
                let in_ms = (u64::from(steps) * STEP_MS).saturating_sub(begun_ms);
                Some(Ahead { in_ms, load_max: forecast.outlook()?.upper.max(0.0) })
            })
            .collect()
    }

    /// How it stands.
    pub(crate) fn part(&self, settings: &capacity::Settings) -> Part {
        let standing = match (self.is_passing(), self.wanted) {
            (true, _) => Standing::Bad,
            (false, Some(_)) => Standing::Fine,
            (false, None) => Standing::Waiting,
        };
        let judged = u64::from(self.near.judged().max(self.far.judged()));
        let text = match self.wanted {
            Some(_) => self.text.clone(),
            None => format!(
                "the queue holds {:.0} of {:.0}; its load is forecast once it is known for long enough ({judged} of {JUDGED_MIN} steps of 5 min)",
                self.last.queue, settings.queue_max
            ),
        };
        let evidence = Evidence {
            metric: "queue".to_owned(),
            observed: self.last.queue,
            bound: settings.queue_max,
            unit: "{item}".to_owned(),
            samples: judged,
            text,
            events: vec![self.last.event.clone()],
        };
        Part { standing, evidence }
    }

    /// After an attempt: how it is as things are now, when something was told since. New replicas are
    /// given their time.
    pub(crate) fn part_since(
        &self,
        since_ms: u64,
        now_ms: u64,
        settings: &capacity::Settings,
    ) -> Option<Part> {
        let told = self.last.at_ms >= since_ms;
        let part = self.part(settings);
        let standing = match (self.wanted, self.passes) {
            (None, _) => Standing::Waiting,
            (Some(_), false) => Standing::Fine,
            (Some(_), true) if now_ms.saturating_sub(since_ms) < capacity::LEAD_MS => Standing::Waiting,
            (Some(_), true) => Standing::Bad,
        };
        told.then_some(Part { standing, ..part })
    }

    /// How many replicas there are and how many would do: what a remedy goes by.
    pub(crate) fn replicas(&self) -> Option<Evidence> {
        let wanted = self.wanted?;
        Some(Evidence {
            metric: Evidence::REPLICAS.to_owned(),
            observed: f64::from(self.last.replicas),
            bound: f64::from(wanted),
            unit: "{replica}".to_owned(),
            samples: 1,
            text: format!("{} replicas work, {wanted} would do", self.last.replicas),
            events: Vec::new(),
        })
    }
}

/// At least 0 and finite.
fn number(event: &Event, name: &str) -> Option<f64> {
    named(&event.signals, name).map(|signal| signal.value).filter(|value| value.is_finite() && *value >= 0.0)
}
