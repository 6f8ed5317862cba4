//! A Deployment is given more replicas, once, and never fewer.

use super::*;

/// To eight replicas.
fn scale_up() -> Plan {
    let target = KubernetesTarget { namespace: "shop".into(), deployment: "web".into() };
    Plan {
        replicas: Some(8),
        idempotency_key: "stage/shop/bad/scale-up/1".into(),
        ..plan(Remedy::ScaleUp, Target::Kubernetes(target))
    }
}

#[test]
fn it_scales_up_once_whatever_goes_wrong_and_never_down() {
    use AttemptResult::{Done, Failed, Unknown};
    use Fault::{AnswerLost, DoneBut502, Lost, NotSent, Status};
    use LookFirst::{No, Yes};
    let check = |change: &dyn Fn(&mut FakeKubernetes), look, faults: &[Fault], expected: (_, Option<u64>)| {
        let mut kubernetes = FakeKubernetes::new();
        kubernetes.deployment["spec"]["replicas"] = json!(5);
        change(&mut kubernetes);
        let report = carry(&mut open(&scale_up(), look), &mut kubernetes, faults);
        let now = kubernetes.deployment["spec"]["replicas"].as_u64();
        assert_eq!((report.result, now), expected, "{look:?} {faults:?} {report:?}");
        assert!(kubernetes.patches.len() <= 1, "patched once");
        assert_eq!(kubernetes.image(), "web:3", "only its number changes");
        report.detail
    };
    let as_is = |_: &mut FakeKubernetes| {};
    for look in [No, Yes] {
        let detail = check(&as_is, look, &[], (Done, Some(8)));
        assert_eq!(detail, "the Deployment web goes from 5 to 8 replicas");
        check(&as_is, look, &[Lost], (Done, Some(8)));
        check(&as_is, look, &[Fault::None, AnswerLost], (Done, Some(8)));
        check(&as_is, look, &[Fault::None, DoneBut502, Lost], (Done, Some(8)));
        check(&as_is, look, &[Fault::None, Lost], (Unknown, Some(5)));
        check(&as_is, look, &[Fault::None, AnswerLost, Lost, Lost], (Unknown, Some(8)));
        check(&as_is, look, &[Fault::None, Status(403)], (Failed, Some(5)));
        check(&as_is, look, &[Fault::None, NotSent], (Failed, Some(5)));
        check(&|kubernetes| kubernetes.interlopers = 1, look, &[], (Done, Some(8)));
        check(&|kubernetes| kubernetes.interlopers = 2, look, &[], (Failed, Some(5)));
        let many = |kubernetes: &mut FakeKubernetes| kubernetes.deployment["spec"]["replicas"] = json!(9);
        let detail = check(&many, look, &[], (Failed, Some(9)));
        assert!(detail.contains("is to have 9 replicas already, and 8 would do"), "{detail}");
        check(
            &|kubernetes| kubernetes.deployment["spec"]["replicas"] = json!("5"),
            look,
            &[],
            (Failed, None),
        );
        // One that does not say has one.
        let unsaid = |kubernetes: &mut FakeKubernetes| {
            kubernetes.deployment["spec"].as_object_mut().unwrap().remove("replicas");
            kubernetes.deployment["metadata"]["annotations"].take();
        };
        check(&unsaid, look, &[], (Done, Some(8)));
    }
    check(&as_is, No, &[Lost, Lost], (Failed, Some(5)));
    check(&as_is, Yes, &[Lost, Lost], (Unknown, Some(5)));
    let done_before = |kubernetes: &mut FakeKubernetes| {
        let key = scale_up().idempotency_key;
        kubernetes.deployment["metadata"]["annotations"]["homeostat.dev/attempt"] = json!(key);
    };
    let detail = check(&done_before, Yes, &[], (Done, Some(5)));
    assert_eq!(detail, "the Deployment web was scaled up already");
}

#[test]
fn a_scale_up_is_shown_before_and_needs_a_number() {
    let shown = crate::connector::preview(&scale_up(), &endpoints()).expect("a preview");
    assert_eq!(shown.method, "PATCH");
    assert!(shown.body.contains(r#"{"op":"add","path":"/spec/replicas","value":8}"#), "{}", shown.body);
    let without = Plan { replicas: None, ..scale_up() };
    let refused = Session::open(&without, &endpoints(), LookFirst::No).err();
    assert_eq!(refused, Some(ConnectorError::NoReplicas));
}
