//! JSON Patch (RFC 6902): `test`, `add`, `replace`, `remove`.

use serde_json::Value;

/// Steps read of one patch; Kubernetes reads 10,000.
const STEPS_MAX: usize = 10_000;

/// Why a patch is refused; nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatchRefused {
    #[error("no such Deployment")]
    NoSuchDeployment,
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    TestFailed(String),
    #[error("changed since it was read")]
    Conflict,
}

/// The document with all steps done.
pub(super) fn apply(document: &Value, steps: &Value) -> Result<Value, PatchRefused> {
    let steps = steps.as_array().filter(|steps| steps.len() <= STEPS_MAX);
    let steps =
        steps.ok_or_else(|| PatchRefused::Malformed("the patch is not a list of steps".to_owned()))?;
    let mut patched = document.clone();
    for step in steps {
        apply_step(&mut patched, step)?;
    }
    Ok(patched)
}

fn apply_step(document: &mut Value, step: &Value) -> Result<(), PatchRefused> {
    let path =
        step["path"].as_str().ok_or_else(|| PatchRefused::Malformed("a step has no path".to_owned()))?;
    let missing = || PatchRefused::TestFailed(format!("{path}: there is no such place"));
    let value = step.get("value").cloned().unwrap_or(Value::Null);
    match step["op"].as_str() {
        Some("test") if document.pointer(path) == Some(&value) => Ok(()),
        Some("test") => Err(PatchRefused::TestFailed(format!("testing value {path} failed"))),
        Some("replace") => document.pointer_mut(path).map(|place| *place = value).ok_or_else(missing),
        Some("add") => add(document, path, value).ok_or_else(missing),
        Some("remove") => remove(document, path).ok_or_else(missing),
        other => Err(PatchRefused::Malformed(format!("unknown op {other:?}"))),
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, last) = path.rsplit_once('/')?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => {
            map.insert(unescaped(last), value);
        }
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => {
            let index = last.parse().ok().filter(|index| *index <= list.len())?;
            list.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<()> {
    let (parent, last) = path.rsplit_once('/')?;
    match document.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&unescaped(last)).map(|_| ()),
        Value::Array(list) => {
            let index = last.parse().ok().filter(|index| *index < list.len())?;
            list.remove(index);
            Some(())
        }
        _ => None,
    }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::apply;

    #[test]
    fn steps_do_what_the_rfc_says() {
        let document = json!({"a": {"b/c": 1}, "l": [1, 3]});
        let check = |steps: serde_json::Value, expected: Option<serde_json::Value>| {
            assert_eq!(apply(&document, &steps).ok(), expected, "{steps}");
        };
        check(json!([{"op": "test", "path": "/a/b~1c", "value": 1}]), Some(document.clone()));
        check(json!([{"op": "test", "path": "/a/b~1c", "value": 2}]), None);
        check(json!([{"op": "replace", "path": "/a/none", "value": 2}]), None);
        check(
            json!([{"op": "add", "path": "/a/x~1y", "value": 2}]),
            Some(json!({"a": {"b/c": 1, "x/y": 2}, "l": [1, 3]})),
        );
        check(
            json!([{"op": "add", "path": "/l/1", "value": 2}]),
            Some(json!({"a": {"b/c": 1}, "l": [1, 2, 3]})),
        );
        check(json!([{"op": "add", "path": "/l/9", "value": 2}]), None);
        check(json!([{"op": "remove", "path": "/a/b~1c"}]), Some(json!({"a": {}, "l": [1, 3]})));
        check(json!([{"op": "move", "path": "/a", "from": "/l"}]), None);
        check(json!({}), None);
    }

    #[test]
    fn a_patch_with_one_bad_step_changes_nothing() {
        let document = json!({"a": 1});
        let steps =
            json!([{"op": "replace", "path": "/a", "value": 2}, {"op": "test", "path": "/a", "value": 1}]);
        assert!(apply(&document, &steps).is_err());
    }
}
