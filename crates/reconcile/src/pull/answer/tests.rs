use super::*;
use crate::pull::tests::pull;

/// Three steps of five seconds.
const STEPS: Steps = Steps { first_ms: 100_000, last_ms: 110_000, step_ms: 5_000 };

fn answered(code: u16, body: &str) -> Result<Samples, NoSamples> {
    let mut response = Response::new(body.as_bytes().to_vec());
    *response.status_mut() = http::StatusCode::from_u16(code).expect("a status");
    samples(Ok(response), &pull(), STEPS, 200_000)
}

fn matrix(result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}"#)
}

#[test]
fn samples_are_read_by_arm_and_step() {
    let check = |result: &str, expected: &[(Arm, &[(u64, f64)])]| {
        let samples = answered(200, &matrix(result)).unwrap_or_else(|no| panic!("{result}: {no:?}"));
        let of = |points: &[(u64, f64)]| points.iter().copied().collect::<BTreeMap<_, _>>();
        let expected = expected.iter().map(|(arm, points)| (*arm, of(points))).collect();
        assert_eq!(samples.0, expected, "{result}");
    };
    check("", &[]);
    check(
        r#"{"metric":{"arm":"stable"},"values":[[100,"12"],[105,"0"],[110.000,"1.5e2"]]},
           {"metric":{"arm":"canary"},"values":[[105,"3"]]}"#,
        &[
            (Arm::Baseline, &[(100_000, 12.0), (105_000, 0.0), (110_000, 150.0)]),
            (Arm::Canary, &[(105_000, 3.0)]),
        ],
    );
    check(r#"{"metric":{},"values":[[110,"7"]]}"#, &[(Arm::Whole, &[(110_000, 7.0)])]);
    // Not a number and infinite are absent, as is an arm that is neither.
    check(
        r#"{"metric":{"arm":"canary"},"values":[[100,"NaN"],[105,"+Inf"],[110,"-Inf"]]},
           {"metric":{"arm":"preview"},"values":[[100,"1"]]}"#,
        &[(Arm::Canary, &[])],
    );
    // A native histogram has no values.
    check(
        r#"{"metric":{"arm":"canary"},"histograms":[[100,{"count":"1","sum":"2","buckets":[]}]]}"#,
        &[(Arm::Canary, &[])],
    );
}

#[test]
fn what_is_no_answer_is_refused_with_its_reason() {
    let check = |code: u16, body: &str, expected: &str, wait_ms: Option<u64>| {
        let no = answered(code, body).expect_err(body);
        assert!(no.why.contains(expected), "{body}: {}", no.why);
        assert_eq!(no.wait_ms, wait_ms, "{body}");
    };
    let bad = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5:\nparse error"}"#;
    check(400, bad, "status 400: invalid parameter \"query\": 1:5: parse error", None);
    check(
        503,
        r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
        "query timed out",
        None,
    );
    check(200, r#"{"status":"error","errorType":"internal","error":"boom"}"#, "boom", None);
    check(502, "<html>", "status 502", None);
    check(200, "<html>", "not what", None);
    check(200, r#"{"status":"success"}"#, "not what", None);
    check(200, r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, "not what", None);
    check(200, &matrix(r#"{"metric":{},"values":[[100,"twelve"]]}"#), "not what", None);
    // A time that was not asked for: between steps, after them, before all time.
    check(200, &matrix(r#"{"metric":{},"values":[[101,"1"]]}"#), "not what", None);
    check(200, &matrix(r#"{"metric":{},"values":[[115,"1"]]}"#), "not what", None);
    check(200, &matrix(r#"{"metric":{},"values":[[-1e300,"1"]]}"#), "not what", None);
    let twice = r#"{"metric":{"arm":"canary","pod":"a"},"values":[]},{"metric":{"arm":"canary","pod":"b"},"values":[]}"#;
    check(200, &matrix(twice), "sum by (arm)", None);
    let many = vec![r#"{"metric":{"arm":"x"}}"#; SERIES_MAX + 1].join(",");
    check(200, &matrix(&many), "17 series", None);
    check(200, &" ".repeat(BODY_BYTES_MAX + 1), "bytes", None);
}

#[test]
fn no_response_is_no_answer() {
    let no = samples(Err("connection refused".to_owned()), &pull(), STEPS, 0).expect_err("refused");
    assert_eq!(no, NoSamples { why: "connection refused".to_owned(), wait_ms: None });
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_panic(body in ".{0,200}", code in 200_u16..600) {
        let _ = answered(code, &body);
        let _ = answered(200, &matrix(&body));
    }
}
