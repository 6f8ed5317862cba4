//! What the judge is told: one observation of one metric, or an event.
//!
//! What this does not do: read text (`read` does) or judge.

/// Which version an observation is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// The old version, at the same time.
    Baseline,
    /// The new version.
    Canary,
}

/// One observation of one rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Names the rollout; at most [`Observation::NAME_BYTES_MAX`] bytes.
    pub rollout: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Which version; `None` for a stream that is judged against its own past.
    pub arm: Option<Arm>,
    /// By whom it was told, where several may tell of one arm at one time; told twice by one it
    /// counts once. `None`: an observation is known by its time.
    pub told_by: Option<u32>,
    /// What was seen.
    pub what: What,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Things that went well or badly since the observation before.
    Bernoulli {
        /// The metric's name, such as `errors`.
        metric: String,
        /// How many went badly; at most `total`.
        bad: u64,
        /// How many there were.
        total: u64,
    },
    /// Single measurements since the observation before, such as latencies; more is worse.
    Sample {
        /// The metric's name, such as `latency_ms`.
        metric: String,
        /// The measurements, finite.
        values: Vec<f64>,
    },
    /// A level at this moment, such as a queue's length; more is worse.
    Gauge {
        /// The metric's name, such as `queue`.
        metric: String,
        /// The level, finite.
        value: f64,
    },
    /// Something happened: `deployed` (a new version beside the old one), `released` (a new version,
    /// perhaps beside the old one: its silence says nothing before it was heard), `completed` (the
    /// new version took over: an arm that falls silent now says nothing), `scrape_failed`,
    /// `resolved`; others say only that time went on.
    Event {
        /// Its name.
        event: String,
    },
}

impl What {
    /// A new version went out, beside the old one.
    pub const DEPLOYED: &str = "deployed";
    /// A new version went out, perhaps beside the old one.
    pub const RELEASED: &str = "released";
    /// The new version took over, or the deployment is over in another way.
    pub const COMPLETED: &str = "completed";
    /// What it was called bad for is over: the same version is judged anew.
    pub const RESOLVED: &str = "resolved";
    /// Numbers could not be read.
    pub const SCRAPE_FAILED: &str = "scrape_failed";

    /// Something happened.
    pub fn event(name: &str) -> Self {
        Self::Event { event: name.to_owned() }
    }
}

impl Observation {
    /// A longer name of a rollout, metric or event is refused.
    pub const NAME_BYTES_MAX: usize = 128;
    /// More measurements in one observation are refused: send several.
    pub const VALUES_MAX: usize = 100_000;
}
