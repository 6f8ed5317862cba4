//! A sender's own list of what it sent: read page by page, compared, and asked for again.
//!
//! A delivery is missing when no try of it was acknowledged and it is not among what arrived. One
//! that was acknowledged did arrive, unless the store lost its last second: where the sender says
//! what it was, that is checked too, and it is asked for once.
//!
//! Invariant: everything is looked at once it is older than the last look, and only then.

use std::collections::{BTreeMap, VecDeque};

use homeostat_schema::config::Ask;
use http::{HeaderMap, Method};

use crate::memory::{Memory, PENDING_MAX, Pending};
use crate::wire::{Heard, heard, request, status};
use crate::{Answer, Auth, Next, Origins, Outgoing, Report, github, gitlab};

/// Pages of one look; what did not fit is said.
pub const PAGES_MAX: usize = 5;
/// Times a delivery is asked for: one lost by chance comes with the first, one that cannot be
/// taken does not come with the tenth.
pub const ASKS_MAX: u32 = 3;
/// Deliveries asked for in one look; the rest is asked for in the next ones.
pub(crate) const ASKS_PER_LOOK_MAX: usize = 20;
/// The wait before a delivery that was asked for counts as missing again, milliseconds; doubled
/// each time.
const ASK_AGAIN_MS: u64 = 60_000;

/// Whose list it is.
#[derive(Debug, Clone)]
pub(crate) enum Book {
    /// A repository's webhook, by the path of its deliveries, or an App's.
    Github { origin: String, path: String, auth: Auth },
    /// A project's webhook, by the path of its events.
    Gitlab { origin: String, path: String },
}

/// One try of a delivery, as the sender tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// What to ask for.
    pub(crate) delivery: u64,
    /// The id it arrived, or would arrive, under; `None` where the sender does not say.
    pub(crate) key: Option<String>,
    /// Grows with time, in the sender's own unit.
    pub(crate) order: u64,
    /// Whether it was answered with 2xx.
    pub(crate) acknowledged: bool,
    /// Whether it must be among what arrived when it was acknowledged.
    pub(crate) of_interest: bool,
}

/// A page, and where the next one begins.
pub(crate) struct Page {
    pub(crate) sent: Vec<Sent>,
    pub(crate) next: Option<String>,
}

impl Book {
    pub(crate) fn of(ask: &Ask, origins: &Origins) -> Option<Self> {
        match ask {
            Ask::GithubHook { repository, hook } => Some(Self::Github {
                origin: origins.github.clone(),
                path: format!("/repos/{repository}/hooks/{hook}/deliveries"),
                auth: Auth::GithubToken,
            }),
            Ask::GithubApp { app } => Some(Self::Github {
                origin: origins.github.clone(),
                path: "/app/hook/deliveries".to_owned(),
                auth: Auth::GithubApp(*app),
            }),
            Ask::GitlabHook { project, hook } => Some(Self::Gitlab {
                origin: origins.gitlab.clone(),
                path: format!("/api/v4/projects/{project}/hooks/{hook}/events"),
            }),
            Ask::Alertmanager | Ask::Rhythm { .. } => None,
        }
    }

    fn list(&self, next: Option<&str>) -> Option<Outgoing> {
        match self {
            Self::Github { origin, path, auth } => {
                let cursor = next.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
                request(Method::GET, origin, &format!("{path}?per_page={}{cursor}", github::PAGE), *auth)
            }
            Self::Gitlab { origin, path } => {
                let page = next.unwrap_or("1");
                let query = format!("{path}?per_page={}&page={page}", gitlab::PAGE);
                request(Method::GET, origin, &query, Auth::GitlabToken)
            }
        }
    }

    fn again(&self, delivery: u64) -> Option<Outgoing> {
        match self {
            Self::Github { origin, path, auth } => {
                request(Method::POST, origin, &format!("{path}/{delivery}/attempts"), *auth)
            }
            Self::Gitlab { origin, path } => {
                request(Method::POST, origin, &format!("{path}/{delivery}/resend"), Auth::GitlabToken)
            }
        }
    }

    fn read(&self, response: Result<http::Response<Vec<u8>>, String>, now_ms: u64) -> Heard<Page> {
        fn page<T>(heard: Heard<(Vec<T>, HeaderMap)>, read: fn(Vec<T>, &HeaderMap) -> Page) -> Heard<Page> {
            match heard {
                Heard::Ok((list, headers)) => Heard::Ok(read(list, &headers)),
                Heard::Refused(why) => Heard::Refused(why),
                Heard::Later(why, wait_ms) => Heard::Later(why, wait_ms),
            }
        }
        match self {
            Self::Github { .. } => page(heard(response, now_ms), github::page),
            Self::Gitlab { .. } => page(heard(response, now_ms), gitlab::page),
        }
    }

    /// How far before the last look is looked again: lists are not strictly in order.
    fn overlap(&self) -> u64 {
        match self {
            Self::Github { .. } => github::OVERLAP_MS,
            Self::Gitlab { .. } => 0,
        }
    }
}

/// One look at a list.
#[derive(Debug)]
pub(crate) struct Ledger {
    book: Book,
    now_ms: u64,
    from: u64,
    report: Report,
    pages: usize,
    /// Tries by the id they would arrive under.
    found: BTreeMap<String, Found>,
    /// What was compared, in order.
    compared: Vec<String>,
    queue: VecDeque<String>,
    asking: Option<String>,
}

#[derive(Debug, Default)]
struct Found {
    delivery: u64,
    acknowledged: bool,
    of_interest: bool,
}

impl Ledger {
    pub(crate) fn new(book: Book, memory: Memory, now_ms: u64) -> Self {
        let from = memory.until.saturating_sub(book.overlap());
        let report = Report { memory, ..Report::default() };
        let (found, compared, queue) = (BTreeMap::new(), Vec::new(), VecDeque::new());
        Self { book, now_ms, from, report, pages: 0, found, compared, queue, asking: None }
    }

    pub(crate) fn next(&mut self, answer: Answer) -> Next {
        match answer {
            Answer::Begin => self.list(None),
            Answer::Response(response) => match self.asking.take() {
                None => self.listed(response),
                Some(key) => self.asked(&key, response),
            },
            Answer::Arrived(arrived) => self.compare(&arrived),
            Answer::Failed(why) => self.failed(why, None),
            Answer::TakenIn(_) | Answer::Came(_) => {
                self.failed("another answer was expected".to_owned(), None)
            }
        }
    }

    fn list(&mut self, next: Option<&str>) -> Next {
        self.pages += 1;
        match self.book.list(next) {
            Some(outgoing) => Next::Send(outgoing),
            None => self.failed("there is no origin to ask: set its variable".to_owned(), None),
        }
    }

    fn listed(&mut self, response: Result<http::Response<Vec<u8>>, String>) -> Next {
        let page = match self.book.read(response, self.now_ms) {
            Heard::Ok(page) => page,
            Heard::Refused(why) => return self.failed(why, None),
            Heard::Later(why, wait_ms) => return self.failed(why, wait_ms),
        };
        let oldest = page.sent.iter().map(|sent| sent.order).min();
        page.sent.into_iter().for_each(|sent| self.find(sent));
        let further = page.next.filter(|_| oldest.is_some_and(|oldest| oldest > self.from));
        match further {
            Some(next) if self.pages < PAGES_MAX => self.list(Some(&next)),
            Some(_) => {
                let why =
                    format!("more was sent than fits {PAGES_MAX} pages: what is older was not looked at");
                self.report.problem = Some(why);
                self.ask_what_arrived()
            }
            None => self.ask_what_arrived(),
        }
    }

    fn find(&mut self, sent: Sent) {
        if sent.order < self.from {
            return;
        }
        self.report.memory.until = self.report.memory.until.max(sent.order);
        let Some(key) = sent.key else { return };
        self.report.seen += 1;
        let found = self.found.entry(key).or_default();
        // The oldest try is asked for again: it is the delivery itself, not a redelivery of it.
        if found.delivery == 0 || sent.delivery < found.delivery {
            found.delivery = sent.delivery;
        }
        found.acknowledged |= sent.acknowledged;
        found.of_interest |= sent.of_interest;
    }

    fn ask_what_arrived(&mut self) -> Next {
        let doubtful = self.found.iter().filter(|(_, found)| !found.acknowledged || found.of_interest);
        let mut keys: Vec<String> = doubtful.map(|(key, _)| key.clone()).collect();
        keys.extend(self.report.memory.pending.keys().filter(|key| !self.found.contains_key(*key)).cloned());
        let listed = &self.found;
        self.report.memory.let_go.retain(|key| listed.contains_key(key));
        keys.retain(|key| !self.report.memory.let_go.contains(key));
        self.compared.clone_from(&keys);
        Next::Compare(keys)
    }

    fn compare(&mut self, arrived: &[bool]) -> Next {
        for (key, arrived) in std::mem::take(&mut self.compared).into_iter().zip(arrived) {
            if *arrived {
                self.report.memory.pending.remove(&key);
            } else if let Some(found) = self.found.get(&key) {
                // What was acknowledged is asked for once only: it may not be of interest after all.
                let asked = if found.acknowledged { ASKS_MAX - 1 } else { 0 };
                let pending = Pending { delivery: found.delivery, asked, asked_at_ms: 0 };
                self.report.memory.pending.entry(key).or_insert(pending);
            }
        }
        self.give_up();
        self.report.missing = self.report.memory.pending.len();
        let due =
            |pending: &Pending| pending.asked_at_ms.saturating_add(wait_ms(pending.asked)) <= self.now_ms;
        let due = self.report.memory.pending.iter().filter(|(_, pending)| due(pending));
        self.queue = due.map(|(key, _)| key.clone()).take(ASKS_PER_LOOK_MAX).collect();
        self.ask()
    }

    /// Lets go of what was asked for often enough, and of what there is no room for.
    fn give_up(&mut self) {
        let pending = &self.report.memory.pending;
        let over = |one: &Pending| {
            one.asked >= ASKS_MAX && one.asked_at_ms.saturating_add(wait_ms(one.asked)) <= self.now_ms
        };
        let mut gone: Vec<String> =
            pending.iter().filter(|(_, one)| over(one)).map(|(key, _)| key.clone()).collect();
        let room = pending.len().saturating_sub(gone.len()).saturating_sub(PENDING_MAX);
        gone.extend(pending.iter().filter(|(_, one)| !over(one)).map(|(key, _)| key.clone()).take(room));
        gone.iter().for_each(|key| self.let_go(key));
    }

    /// Asks for it no more, also when it is listed again.
    fn let_go(&mut self, key: &str) {
        self.report.memory.pending.remove(key);
        self.report.memory.let_go.insert(key.to_owned());
        self.report.given_up += 1;
    }

    fn ask(&mut self) -> Next {
        while let Some(key) = self.queue.pop_front() {
            let Some(pending) = self.report.memory.pending.get(&key) else { continue };
            if pending.asked >= ASKS_MAX {
                continue;
            }
            let Some(outgoing) = self.book.again(pending.delivery) else { continue };
            self.asking = Some(key);
            return Next::Send(outgoing);
        }
        self.report.memory.failures = 0;
        Next::Finished(Box::new(self.report.clone()))
    }

    fn asked(&mut self, key: &str, response: Result<http::Response<Vec<u8>>, String>) -> Next {
        match status(response, self.now_ms) {
            Heard::Ok(_) => {
                if let Some(pending) = self.report.memory.pending.get_mut(key) {
                    pending.asked += 1;
                    pending.asked_at_ms = self.now_ms;
                }
                self.report.asked += 1;
                self.ask()
            }
            // GitHub keeps what can be delivered again for three days.
            Heard::Refused(why) => {
                self.let_go(key);
                self.report.problem = Some(format!("a delivery cannot be asked for again: {why}"));
                self.ask()
            }
            Heard::Later(why, wait_ms) => self.failed(why, wait_ms),
        }
    }

    fn failed(&mut self, why: String, wait_ms: Option<u64>) -> Next {
        self.report.problem = Some(why);
        self.report.wait_ms = wait_ms;
        self.report.memory.failures = self.report.memory.failures.saturating_add(1);
        Next::Finished(Box::new(self.report.clone()))
    }
}

/// How long a delivery that was asked for so often is waited for.
fn wait_ms(asked: u32) -> u64 {
    match asked {
        0 => 0,
        asked => ASK_AGAIN_MS.saturating_mul(1 << asked.min(ASKS_MAX).saturating_sub(1)),
    }
}
