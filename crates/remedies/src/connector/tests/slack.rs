//! Slack: a list of messages.

use super::*;

#[derive(Default)]
pub(super) struct FakeSlack {
    messages: Vec<Value>,
}

impl Server for FakeSlack {
    fn serve(&mut self, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        self.messages.push(body(request));
        http::Response::builder().status(200).body(b"ok".to_vec()).expect("a response")
    }
}

#[test]
fn a_message_is_sent_at_most_once_whatever_goes_wrong() {
    use AttemptResult::{Done, Failed, Unknown};
    use LookFirst::{No, Yes};
    for (look, faults, result, messages) in [
        (No, &[][..], Done, 1),
        (No, &[Fault::AnswerLost], Unknown, 1),
        (No, &[Fault::DoneBut502], Unknown, 1),
        (No, &[Fault::Lost], Unknown, 0),
        (No, &[Fault::Status(404)], Failed, 0),
        (No, &[Fault::Status(429)], Failed, 0),
        (No, &[Fault::Denied], Failed, 0),
        (Yes, &[], Unknown, 0),
    ] {
        let mut slack = FakeSlack::default();
        let report = carry(&mut open(&plan(Remedy::Notify, Target::Slack), look), &mut slack, faults);
        assert_eq!((report.result, slack.messages.len()), (result, messages), "{faults:?}");
        assert!(report.exchanges.len() <= 1, "never repeated");
    }
}

#[test]
fn text_from_outside_is_escaped_bounded_and_mentions_nobody() {
    let mut plan = plan(Remedy::Notify, Target::Slack);
    plan.reason = format!("<!channel> & <https://evil|here> ghp_0123456789abcdef0123 {}", "&".repeat(5000));
    let mut slack = FakeSlack::default();
    carry(&mut open(&plan, LookFirst::No), &mut slack, &[]);
    let message = &slack.messages[0];
    let text = message["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.starts_with("&lt;!channel&gt; &amp; &lt;https://evil|here&gt; (withheld) &amp;"), "{text}");
    assert!(text.chars().count() <= 3000);
    assert!(!message.to_string().contains('<'));
}

#[test]
fn the_secret_url_is_not_in_what_is_recorded() {
    let plan = plan(Remedy::Notify, Target::Slack);
    let Next::Send(outgoing) = open(&plan, LookFirst::No).next(None) else { panic!("it sends") };
    assert_eq!(outgoing.auth, Auth::SlackWebhook);
    assert_eq!(preview(&plan, &endpoints()).unwrap().url, "https://hooks.slack.com/webhook");
}
