//! The gate: what a pipeline is told.

use super::*;

fn compared(verdict: &str) -> Value {
    json!({
        "env": "prod", "service": "shop", "verdict": verdict, "score": 97.2, "text": "canary healthy",
        "statistic": 0.2, "bound": 200.0, "samples": 4500, "version": "v2", "heard_at": "2026-03-01T09:59:55Z",
    })
}

#[test]
fn a_pipeline_is_told_whether_to_promote() {
    let mut api = Api::new();
    let (status, problem) = api.get("/api/v1/gate/prod/shop");
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("/api/v1/services")), "{problem}");
    api.redis().values.borrow_mut().insert("hs:v:service:prod/shop".to_owned(), b"{}".to_vec());
    assert_eq!(api.get("/api/v1/gate/prod/shop").1["verdict"], "watching");
    let check = |api: &mut Api, verdict: &str, line: &str, expected: u16, told_as: &str| {
        let key = "hs:v:comparison:prod/shop".to_owned();
        api.redis().values.borrow_mut().insert(key, compared(verdict).to_string().into_bytes());
        let (status, answer) = told(&api.send(line, &[], r#"{"name":"shop","phase":"Progressing"}"#));
        assert_eq!((status, answer["verdict"].as_str()), (expected, Some(told_as)), "{line}: {answer}");
    };
    check(&mut api, "healthy", "GET /api/v1/gate/prod/shop", 200, "healthy");
    check(&mut api, "bad", "GET /api/v1/gate/prod/shop", 200, "bad");
    check(&mut api, "healthy", "POST /api/v1/gate/prod/shop?require=healthy", 200, "healthy");
    check(&mut api, "watching", "POST /api/v1/gate/prod/shop?require=healthy", 409, "watching");
    check(&mut api, "blind", "GET /api/v1/gate/prod/shop?require=healthy", 409, "blind");
    check(&mut api, "bad", "POST /api/v1/gate/prod/shop?require=bad", 200, "bad");
    check(&mut api, "bad", "GET /api/v1/gate/prod/shop?require=decided", 200, "bad");
    check(&mut api, "healthy", "GET /api/v1/gate/prod/shop?require=healthy&version=v3", 409, "watching");
    assert_eq!(api.get("/api/v1/gate/prod/shop?require=good").1["field"], "require");
    assert_eq!(api.get("/api/v1/gate/prod/shop?commit=600d").1["field"], "commit");
}
