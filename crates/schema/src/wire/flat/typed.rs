//! Drafts as a plug-in returns them, held to what the flat form is held to.

use super::{
    ATTRIBUTES_MAX, BYTES_MAX, Draft, FieldError, ITEMS_MAX, SIGNALS_MAX, SubmissionError, bounded,
    event_kind, flat_status, safe_url,
};
use crate::number::finite;
use crate::plug_in;
use crate::types::{Correlation, Signal, Status};

/// Checks what a plug-in read, all or nothing: as many items, as much text, the same bounds of
/// each, and finite numbers.
///
/// # Errors
/// [`SubmissionError`], which names the item and the field and repeats no value.
pub fn read_typed(drafts: &[plug_in::Draft]) -> Result<Vec<Draft>, SubmissionError> {
    if drafts.len() > ITEMS_MAX {
        return Err(SubmissionError::TooMany { count: drafts.len() });
    }
    if drafts.iter().map(text_bytes).fold(0, usize::saturating_add) > BYTES_MAX {
        return Err(SubmissionError::TooLarge);
    }
    let read = |(item, draft)| {
        read(draft).map_err(|FieldError { field, reason }| SubmissionError::Field { item, field, reason })
    };
    drafts.iter().enumerate().map(read).collect()
}

fn read(draft: &plug_in::Draft) -> Result<Draft, FieldError> {
    let text = |text: &Option<String>| text.as_deref().and_then(bounded);
    let kind = bounded(&draft.kind).ok_or_else(|| wrong("kind", "a name is expected"))?;
    Ok(Draft {
        delivery: text(&draft.id),
        kind: event_kind(&kind),
        status: text(&draft.status).map_or(Status::Unknown, |status| flat_status(&status)),
        service_name: text(&draft.service),
        env_name: text(&draft.env),
        title: text(&draft.title),
        version: text(&draft.version),
        commit: text(&draft.commit),
        previous_version: text(&draft.previous_version),
        branch: text(&draft.branch),
        duration_ms: draft.duration_ms,
        latency_ms: latency_ms(draft.latency_ms)?,
        signals: signals(&draft.signals)?,
        occurred_at_ms: draft.occurred_at_ms,
        actor: text(&draft.actor),
        url: draft.url.as_deref().and_then(safe_url),
        correlation: Correlation {
            run: text(&draft.run),
            run_attempt: draft.run.as_ref().and(draft.attempt),
            deployment: text(&draft.deployment),
            pull_request: text(&draft.pull_request),
        },
        fork: draft.fork,
        test: draft.test,
        irreversible: draft.irreversible,
        attributes: attributes(&draft.attributes),
    })
}

fn latency_ms(given: Option<f64>) -> Result<Option<f64>, FieldError> {
    let Some(ms) = given else { return Ok(None) };
    let ms = finite(ms).ok().filter(|ms| *ms >= 0.0);
    ms.map(Some).ok_or_else(|| wrong("latency-ms", "a finite number of at least 0 is expected"))
}

fn signals(given: &[plug_in::Signal]) -> Result<Vec<Signal>, FieldError> {
    if given.len() > SIGNALS_MAX {
        return Err(wrong("signals", &format!("at most {SIGNALS_MAX} are taken")));
    }
    given.iter().map(signal).collect()
}

fn signal(given: &plug_in::Signal) -> Result<Signal, FieldError> {
    let name = bounded(&given.name).ok_or_else(|| wrong("signals", "each needs a name"))?;
    let value = finite(given.value).map_err(|_| wrong("signals", "finite values are expected"))?;
    Ok(Signal { name, value, unit: bounded(&given.unit).unwrap_or_default(), samples: given.samples })
}

fn attributes(given: &[(String, String)]) -> Vec<(String, String)> {
    let kept =
        given.iter().filter_map(|(name, text)| Some((bounded(name)?, bounded(text).unwrap_or_default())));
    kept.take(ATTRIBUTES_MAX).collect()
}

/// The bytes of all its texts, as they came.
fn text_bytes(draft: &plug_in::Draft) -> usize {
    let texts = [
        &draft.id,
        &draft.status,
        &draft.subject,
        &draft.service,
        &draft.env,
        &draft.title,
        &draft.version,
        &draft.commit,
        &draft.previous_version,
        &draft.branch,
        &draft.actor,
        &draft.url,
        &draft.run,
        &draft.deployment,
        &draft.pull_request,
    ];
    let texts = texts.into_iter().flatten().map(String::len);
    let signals = draft.signals.iter().map(|signal| signal.name.len() + signal.unit.len());
    let attributes = draft.attributes.iter().map(|(name, text)| name.len() + text.len());
    texts.chain(signals).chain(attributes).chain([draft.kind.len()]).fold(0, usize::saturating_add)
}

fn wrong(field: &str, reason: &str) -> FieldError {
    FieldError { field: field.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::EventKind;
    use proptest::prelude::*;

    fn reading(value: f64) -> plug_in::Signal {
        plug_in::Signal { name: "queue".to_owned(), value, unit: "1".to_owned(), samples: 1 }
    }

    #[test]
    fn the_usual_words_are_understood_and_others_kept() {
        let check = |kind: &str, status: &str, expected: (EventKind, Status)| {
            let draft = plug_in::Draft { status: Some(status.to_owned()), ..plug_in::Draft::saying(kind) };
            let read = read_typed(&[draft]).unwrap().remove(0);
            assert_eq!((read.kind, read.status), expected, "{kind} {status}");
        };
        check("deployed", "succeeded", (EventKind::Deployment, Status::Success));
        check("build", "failed", (EventKind::Run, Status::Failure));
        check("migration", "odd", (EventKind::Other("migration".into()), Status::Other("odd".into())));
    }

    #[test]
    fn what_is_not_finite_or_too_much_is_refused_by_name() {
        let refused = |draft: plug_in::Draft| read_typed(&[draft]).unwrap_err().to_string();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let latency = plug_in::Draft { latency_ms: Some(value), ..plug_in::Draft::saying("run") };
            assert!(refused(latency).contains("latency-ms"));
            let signals = plug_in::Draft { signals: vec![reading(value)], ..plug_in::Draft::saying("run") };
            assert!(refused(signals).contains("signals"));
        }
        assert!(
            refused(plug_in::Draft { latency_ms: Some(-1.0), ..plug_in::Draft::saying("run") })
                .contains("latency-ms")
        );
        assert!(refused(plug_in::Draft::saying(" ")).contains("kind"));
        let many = (0..=SIGNALS_MAX).map(|_| reading(1.0)).collect();
        assert!(
            refused(plug_in::Draft { signals: many, ..plug_in::Draft::saying("run") }).contains("signals")
        );
        assert_eq!(
            read_typed(&[plug_in::Draft {
                title: Some("a".repeat(BYTES_MAX)),
                ..plug_in::Draft::saying("run")
            }]),
            Err(SubmissionError::TooLarge)
        );
        let drafts: Vec<_> = (0..=ITEMS_MAX).map(|_| plug_in::Draft::saying("run")).collect();
        assert_eq!(read_typed(&drafts), Err(SubmissionError::TooMany { count: ITEMS_MAX + 1 }));
        assert_eq!(read_typed(&drafts[1..]).unwrap().len(), ITEMS_MAX);
    }

    #[test]
    fn an_address_that_no_page_may_link_to_is_dropped() {
        let draft =
            plug_in::Draft { url: Some("javascript:alert(1)".to_owned()), ..plug_in::Draft::saying("run") };
        assert_eq!(read_typed(&[draft]).unwrap().remove(0).url, None);
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_bounded(
            kind in ".{0,600}",
            text in prop::option::of(".{0,600}"),
            number: f64,
            attributes in prop::collection::vec((".{0,400}", ".{0,400}"), 0..50),
        ) {
            let draft = plug_in::Draft {
                title: text.clone(),
                service: text,
                latency_ms: Some(number),
                attributes,
                ..plug_in::Draft::saying(&kind)
            };
            if let Ok(read) = read_typed(&[draft]) {
                let read = &read[0];
                let short = |text: &String| text.chars().count() <= super::super::TEXT_CHARS_MAX;
                prop_assert!(read.latency_ms.is_some_and(|ms| ms.is_finite() && ms >= 0.0));
                prop_assert!(read.title.iter().chain(&read.service_name).all(short));
                prop_assert!(read.attributes.len() <= ATTRIBUTES_MAX);
                prop_assert!(read.attributes.iter().all(|(name, text)| short(name) && short(text)));
            }
        }
    }
}
