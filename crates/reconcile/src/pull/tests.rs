use std::collections::BTreeMap;

use http::{Request, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Look;

/// A time at which a step of five seconds ends.
const NOON: u64 = 1_764_244_800_000;

pub(crate) fn pull() -> Pull {
    Pull {
        id: "checkout".to_owned(),
        service: "checkout".to_owned(),
        env: "prod".to_owned(),
        every_s: 15,
        step_s: 5,
        requests: "sum by (arm) (increase(r{app=\"checkout\"}[6s]))".to_owned(),
        errors: "e".to_owned(),
        latency_ms: None,
        queue: None,
        load: None,
        replicas: None,
        up: None,
        arm_label: "arm".to_owned(),
        baseline: "stable".to_owned(),
        canary: "canary".to_owned(),
    }
}

/// A Prometheus of one's own: what it has of each expression's first letter, by arm and time in
/// seconds since noon.
#[derive(Default, Clone)]
struct Server {
    has: BTreeMap<(char, &'static str), BTreeMap<i64, f64>>,
    asked: Vec<String>,
    /// How it answers this expression instead.
    broken: Option<(char, u16)>,
}

impl Server {
    fn with(mut self, what: char, arm: &'static str, points: &[(i64, f64)]) -> Self {
        self.has.entry((what, arm)).or_default().extend(points.iter().copied());
        self
    }

    fn answer(&mut self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
        let query = request.uri().query().expect("a query");
        self.asked.push(request.uri().to_string());
        let part = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("{name}: {query}")).to_owned()
        };
        // The first letter of the metric, whatever is around it.
        let expression = part("query");
        let what =
            if expression.starts_with("sum") { 'r' } else { expression.chars().next().expect("a letter") };
        let mut response = Response::new(Vec::new());
        match self.broken {
            Some((broken, 0)) if broken == what => return Err("connection refused".to_owned()),
            Some((broken, status)) if broken == what => {
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                return Ok(response);
            }
            _ => {}
        }
        let seconds = |name: &str| part(name).parse::<f64>().expect("a time") as i64 - (NOON / 1000) as i64;
        let range = seconds("start")..=seconds("end");
        let series = self.has.iter().filter(|((of, _), _)| *of == what).map(|((_, arm), points)| {
            let metric = if arm.is_empty() { json!({}) } else { json!({"arm": arm}) };
            let values = points.iter().filter(|(at, _)| range.contains(at));
            let value = |(at, value): (&i64, &f64)| json!([at + (NOON / 1000) as i64, value.to_string()]);
            json!({"metric": metric, "values": values.map(value).collect::<Vec<_>>()})
        });
        let result: Vec<Value> = series.collect();
        let body = json!({"status": "success", "data": {"resultType": "matrix", "result": result}});
        *response.body_mut() = body.to_string().into_bytes();
        Ok(response)
    }
}

/// One look; what it observed, and its end. What is taken in is `taken`, or why not.
fn look(
    of: &Pull,
    server: &mut Server,
    memory: Memory,
    now_ms: u64,
    taken: Result<(), String>,
) -> (Vec<Observation>, Report) {
    let origins = Origins { prometheus: "http://p:9090".to_owned(), ..Origins::default() };
    let mut look = Look::at_numbers(of, memory, &origins, now_ms);
    let mut next = look.next(Answer::Begin);
    let mut observed = Vec::new();
    for _ in 0..8 {
        let answer = match next {
            Next::Send(outgoing) => {
                assert_eq!(outgoing.auth, Auth::None);
                Answer::Response(server.answer(&outgoing.request))
            }
            Next::Observe(observations) => {
                observed = observations;
                Answer::TakenIn(taken.clone().map(|()| observed.len()))
            }
            Next::Finished(report) => return (observed, *report),
            other => panic!("not asked for by a pull: {other:?}"),
        };
        next = look.next(answer);
    }
    panic!("the look does not end");
}

/// An observation in short: seconds since noon, arm or `failed`, and numbers.
fn short(one: &Observation) -> String {
    let event = &one.event;
    let at = (event.occurred_at as i64 - NOON as i64) / 1000;
    let attributes: Vec<_> = event.attributes.iter().map(|(_, value)| value.as_str()).collect();
    let signals: Vec<_> = event.signals.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
    format!("{at} [{}] {}", attributes.join(" "), signals.join(" "))
}

fn remembered(until_s: i64) -> Memory {
    Memory { until: (NOON as i64 + until_s * 1000) as u64, ..Memory::default() }
}

/// A look at noon and two seconds, with everything up to this taken.
fn seen(of: &Pull, server: Server, until_s: i64) -> (Vec<String>, Report) {
    let (observed, report) = look(of, &mut server.clone(), remembered(until_s), NOON + 2_000, Ok(()));
    (observed.iter().map(short).collect(), report)
}

#[test]
fn each_step_of_each_arm_is_one_observation() {
    let of = Pull { latency_ms: Some("l".to_owned()), ..pull() };
    let server = Server::default()
        .with('r', "stable", &[(-5, 90.0), (0, 100.0)])
        .with('r', "canary", &[(-5, 10.0), (0, 12.0)])
        .with('e', "canary", &[(0, 3.0)])
        .with('l', "canary", &[(-5, 81.5)]);
    let (observed, report) = seen(&of, server, -10);
    assert_eq!(
        observed,
        [
            "-5 [baseline] requests=90 errors=0",
            "-5 [canary] requests=10 errors=0 latency-ms=81.5",
            "0 [baseline] requests=100 errors=0",
            "0 [canary] requests=12 errors=3",
        ]
    );
    assert_eq!((report.seen, report.missing, report.asked, &report.problem), (2, 0, 4, &None));
}

#[test]
fn a_queue_is_one_more_observation_when_all_of_it_is_known() {
    let asked = |expression: &str| Some(expression.to_owned());
    let of = Pull { queue: asked("q"), load: asked("w"), replicas: asked("n"), ..pull() };
    let whole = |letter, values: &[(i64, f64)]| (letter, values.to_vec());
    let mut server = Server::default().with('r', "stable", &[(-5, 90.0)]);
    for (letter, values) in [
        whole('q', &[(-10, -1.0), (-5, 40.0), (0, 50.0)]),
        whole('w', &[(-10, 7.0), (-5, 7.0), (0, 8.0)]),
        whole('n', &[(-10, 3.0), (0, 3.0)]),
    ] {
        server = server.with(letter, "", &values);
    }
    let (observed, report) = seen(&of, server, -15);
    assert_eq!(
        observed,
        [
            "-10 [failed] ",
            "-5 [baseline] requests=90 errors=0",
            "0 [] queue=50 load=8 replicas=3",
            "0 [failed] ",
        ]
    );
    assert_eq!((report.missing, report.asked), (2, 4));
}

#[test]
fn an_observation_is_signed_fresh_and_known_by_pull_step_and_arm() {
    let mut server = Server::default().with('r', "canary", &[(0, 12.4)]);
    let (observed, _) = look(&pull(), &mut server, remembered(-5), NOON + 2_000, Ok(()));
    let [one] = observed.as_slice() else { panic!("{observed:?}") };
    assert_eq!(one.dedupe, format!("prometheus:pull:checkout:{NOON}:canary"));
    let event = &one.event;
    assert_eq!(
        event.id,
        homeostat_schema::id::event("prometheus", &format!("pull:checkout:{NOON}:canary"), 0)
    );
    assert_eq!(
        (event.source.as_str(), event.env.as_str(), event.service.as_str()),
        ("prometheus", "prod", "checkout")
    );
    assert!(event.trust.signed && event.trust.fresh && !event.trust.late);
    assert_eq!((event.occurred_at, event.received_at, event.duration), (NOON, NOON + 2_000, Some(5_000)));
    assert!(event.signals.iter().all(|signal| signal.unit == "{request}"));
}

#[test]
fn a_question_names_the_steps_and_escapes_its_expression() {
    let mut server = Server::default().with('r', "", &[(0, 1.0)]);
    look(&pull(), &mut server, remembered(-15), NOON + 2_000, Ok(()));
    assert_eq!(
        server.asked[0],
        "http://p:9090/api/v1/query_range?query=sum%20by%20%28arm%29%20%28increase%28r%7Bapp%3D%22checkout%22%7D%5B6s%5D%29%29\
         &start=1764244790.000&end=1764244800.000&step=5.000&timeout=4s"
    );
    assert_eq!(server.asked.len(), 2);
}

#[test]
fn absent_is_neither_zero_nor_failed_unless_all_is_absent() {
    let check = |of: &Pull, server: Server, expected: &[&str]| {
        let (observed, report) = seen(of, server, -10);
        assert_eq!(observed, expected);
        assert_eq!(report.memory.failures, 0, "the look itself went well");
        let failed = expected.iter().filter(|line| line.ends_with("[failed] ")).count();
        assert_eq!((report.missing, report.problem.is_some()), (failed, failed > 0), "{expected:?}");
    };
    // No label of an arm, and requests that are really none.
    check(
        &pull(),
        Server::default().with('r', "", &[(-5, 8.0), (0, 0.0)]),
        &["-5 [] requests=8 errors=0", "0 [] requests=0 errors=0"],
    );
    // The canary is not there yet; then it is.
    check(
        &pull(),
        Server::default().with('r', "stable", &[(-5, 8.0), (0, 9.0)]).with('r', "canary", &[(0, 1.0)]),
        &[
            "-5 [baseline] requests=8 errors=0",
            "0 [baseline] requests=9 errors=0",
            "0 [canary] requests=1 errors=0",
        ],
    );
    // Nothing is counted at all, or nothing that can be; errors alone say nothing.
    check(
        &pull(),
        Server::default().with('r', "stable", &[(-5, f64::NAN), (0, -3.0)]).with('e', "stable", &[(0, 3.0)]),
        &["-5 [failed] ", "0 [failed] "],
    );
    // Errors that cannot be are as good as absent.
    check(
        &pull(),
        Server::default().with('r', "stable", &[(-5, 1.0), (0, 2.0)]).with(
            'e',
            "stable",
            &[(-5, -1.0), (0, f64::INFINITY)],
        ),
        &["-5 [baseline] requests=1 errors=0", "0 [baseline] requests=2 errors=0"],
    );
    let asking = Pull { up: Some("u".to_owned()), ..pull() };
    let both = || {
        Server::default().with('r', "stable", &[(-5, 8.0), (0, 9.0)]).with(
            'r',
            "canary",
            &[(-5, 1.0), (0, 2.0)],
        )
    };
    // The target is down, whatever was counted before.
    check(
        &asking,
        both().with('u', "", &[(-5, 0.0), (0, 1.0)]),
        &["-5 [failed] ", "0 [baseline] requests=9 errors=0", "0 [canary] requests=2 errors=0"],
    );
    // One arm's is.
    check(
        &asking,
        both().with('u', "canary", &[(-5, 0.0), (0, 1.0)]),
        &[
            "-5 [baseline] requests=8 errors=0",
            "-5 [canary failed] ",
            "0 [baseline] requests=9 errors=0",
            "0 [canary] requests=2 errors=0",
        ],
    );
}

#[test]
fn what_cannot_be_asked_is_told_once_a_step_and_asked_for_again() {
    for broken in [('r', 0), ('r', 503), ('e', 0), ('e', 422), ('e', 200)] {
        let mut server = Server::default().with('r', "stable", &[(-5, 8.0), (0, 9.0), (5, 7.0)]);
        server.broken = Some(broken);
        let (observed, report) = look(&pull(), &mut server, remembered(-10), NOON + 2_000, Ok(()));
        let lines: Vec<_> = observed.iter().map(short).collect();
        assert_eq!(lines, ["-5 [failed] ", "0 [failed] "], "{broken:?}");
        assert!(report.problem.is_some() && report.missing == 2, "{report:?}");
        assert_eq!(report.memory.failures, 1);

        let (again, report) = look(&pull(), &mut server, report.memory, NOON + 7_000, Ok(()));
        assert_eq!(again.iter().map(short).collect::<Vec<_>>(), ["5 [failed] "], "only what is new");
        assert_eq!(report.memory.failures, 2);

        server.broken = None;
        let (back, report) = look(&pull(), &mut server, report.memory, NOON + 7_500, Ok(()));
        let lines: Vec<_> = back.iter().map(short).collect();
        let expected = [
            "-5 [baseline] requests=8 errors=0",
            "0 [baseline] requests=9 errors=0",
            "5 [baseline] requests=7 errors=0",
        ];
        assert_eq!(lines, expected, "{broken:?}");
        assert_eq!((report.memory.failures, &report.problem), (0, &None));
        let (none, report) = look(&pull(), &mut server, report.memory, NOON + 7_900, Ok(()));
        assert!(none.is_empty() && report.seen == 0 && report.problem.is_none());
    }
}

#[test]
fn without_an_origin_every_step_is_a_failed_scrape() {
    let mut look = Look::at_numbers(&pull(), remembered(-5), &Origins::default(), NOON + 2_000);
    let Next::Observe(observed) = look.next(Answer::Begin) else { panic!("nothing was told") };
    assert_eq!(observed.iter().map(short).collect::<Vec<_>>(), ["0 [failed] "]);
    let Next::Finished(report) = look.next(Answer::TakenIn(Ok(1))) else { panic!("it goes on") };
    assert!(report.problem.is_some_and(|why| why.contains("prometheus_origin")));
}

#[test]
fn what_was_not_taken_in_is_asked_for_again() {
    let mut server = Server::default().with('r', "stable", &[(0, 9.0)]);
    let full = Err("too much is waiting already".to_owned());
    let (first, report) = look(&pull(), &mut server, remembered(-5), NOON + 2_000, full);
    assert_eq!((report.memory.until, report.memory.failures), (NOON - 5_000, 1));
    assert!(report.problem.is_some());
    let (second, report) = look(&pull(), &mut server, report.memory, NOON + 3_000, Ok(()));
    let ids = |observed: &[Observation]| observed.iter().map(|one| one.dedupe.clone()).collect::<Vec<_>>();
    assert_eq!((ids(&first), report.memory.until), (ids(&second), NOON));
}

proptest! {
    /// Whatever was forgotten between looks, a step of an arm has one id and one meaning.
    #[test]
    fn asking_again_for_the_same_steps_gives_the_same_events(
        points in prop::collection::btree_map(-20_i64..=0, 0.0_f64..1e6, 1..20),
        backs in prop::collection::vec(1_i64..20, 1..6),
    ) {
        let points: Vec<_> = points.into_iter().map(|(number, value)| (number * 5, value)).collect();
        let server = Server::default().with('r', "stable", &points).with('r', "canary", &points[..1]);
        let mut known: BTreeMap<String, Observation> = BTreeMap::new();
        for back in backs {
            let (observed, _) = look(&pull(), &mut server.clone(), remembered(-5 * back), NOON + 2_000, Ok(()));
            let ids: std::collections::BTreeSet<_> = observed.iter().map(|one| &one.event.id).collect();
            prop_assert_eq!(ids.len(), observed.len(), "two events of one look have one id");
            for one in observed {
                let before = known.insert(one.dedupe.clone(), one.clone());
                prop_assert!(before.is_none_or(|before| before == one));
            }
        }
        let ids: std::collections::BTreeSet<_> = known.values().map(|one| &one.event.id).collect();
        prop_assert_eq!(ids.len(), known.len());
    }

    /// A sequence of looks, some of which fail, counts everything once.
    #[test]
    fn no_request_is_lost_or_counted_twice(fails in prop::collection::vec(prop::bool::weighted(0.4), 1..30)) {
        let points: Vec<_> = (0..200).map(|number| (number * 5, (number + 1) as f64)).collect();
        let mut server = Server::default().with('r', "canary", &points);
        let (mut memory, mut counted, mut ends) = (remembered(0), 0.0, 0);
        for (index, fail) in fails.iter().chain([&false]).enumerate() {
            server.broken = fail.then_some(('e', 0));
            let now_ms = NOON + 15_000 * (index as u64 + 1) + 2_000;
            let (observed, report) = look(&pull(), &mut server, memory, now_ms, Ok(()));
            counted += observed.iter().filter_map(|one| one.event.signals.first()).map(|one| one.value).sum::<f64>();
            memory = report.memory;
            ends = 3 * (index as i64 + 1);
        }
        let expected: f64 = points.iter().filter(|(at, _)| *at > 0 && *at <= ends * 5).map(|(_, value)| value).sum();
        prop_assert_eq!(counted, expected);
    }
}
