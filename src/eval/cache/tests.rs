use super::*;
use crate::eval::record::sample::run;
use crate::eval::request::{GenerateUntil, Generated};

fn request(context: &str) -> Request {
    Request::GenerateUntil(GenerateUntil { context: context.into(), until: vec![".".into()], max_new: 4 })
}

fn response(text: &str) -> Response {
    Response::Generated(Generated { text: text.into(), ids: vec![1, 2], stopped: true, ..Generated::default() })
}

#[test]
fn an_answer_belongs_to_one_model_one_arithmetic_one_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/responses.sqlite");
    let base = run();
    let open = |run: &Run| Cache::open(&file, Scope::of(run).unwrap()).unwrap();
    open(&base).put(&request("a"), &response("b")).unwrap();
    assert_eq!(open(&base).get(&request("a")).unwrap(), Some(response("b")));
    assert_eq!(open(&base).get(&request("c")).unwrap(), None);
    let changes: [fn(&mut Run); 7] = [
        |run| run.model.sha256 = Some("other".into()),
        |run| run.model.fingerprint = Some("other".into()),
        |run| run.model.precision = Some("bf16".into()),
        |run| run.model.interventions = vec!["zero:L0H0".into()],
        |run| run.tokenizer.as_mut().unwrap().sha256 = "other".into(),
        |run| run.settings.batch = Some(9),
        |run| run.settings.top_k = Some(9),
    ];
    for change in changes {
        let mut other = base.clone();
        change(&mut other);
        assert_eq!(open(&other).get(&request("a")).unwrap(), None, "{other:?}");
    }
    let renamed =
        Run { model: crate::eval::record::Model { name: "link".into(), ..base.model.clone() }, ..base.clone() };
    assert!(open(&renamed).get(&request("a")).unwrap().is_some());
    let unknown = Run { tokenizer: None, ..base };
    assert_eq!(Scope::of(&unknown), None);
}

#[test]
fn a_damaged_entry_or_file_is_an_error_and_never_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("responses.sqlite");
    let open = || Cache::open(&file, Scope::of(&run()).unwrap());
    open().unwrap().put(&request("a"), &response("right")).unwrap();
    let raw = rusqlite::Connection::open(&file).unwrap();
    raw.execute("UPDATE responses SET response = replace(response, 'right', 'wrong')", []).unwrap();
    drop(raw);
    let error = open().unwrap().get(&request("a")).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && error.hint().unwrap().contains("move the file away"));
    std::fs::write(&file, "no database, but long enough to have a header of a hundred bytes: ".repeat(9)).unwrap();
    assert!(open().unwrap_err().to_string().contains("responses.sqlite"));
}

#[test]
fn a_file_of_another_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("responses.sqlite");
    let raw = rusqlite::Connection::open(&file).unwrap();
    raw.execute_batch("PRAGMA user_version = 7").unwrap();
    drop(raw);
    let error = Cache::open(&file, Scope::of(&run()).unwrap()).unwrap_err();
    assert!(error.to_string().ends_with("its version is 7, this lmscope's is 1"), "{error}");
}
