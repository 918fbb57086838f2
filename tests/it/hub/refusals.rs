//! What `pull` refuses, and what it leaves behind: nothing.

use super::server::{Fault, Repo, Server};
use super::{Home, TOKEN, predict, tiny};

fn check(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in:\n{error}");
    }
    assert!(!error.contains(TOKEN), "{error}");
}

#[test]
fn a_wrong_checksum_leaves_no_file() {
    let server = Server::start(Repo::of(&tiny("tiny-llama")).failing(Fault::WrongByte));
    let home = Home::of(&server);
    let run = home.run(&["pull", "tests/tiny"]);
    assert_eq!(run.status, 2);
    check(&run.stderr, &["`model.safetensors` has checksum ", "announced ", "hint: the file was deleted"]);
    assert_eq!(home.names("blobs").len(), 3, "configuration and tokenizer");
    assert!(!home.snapshot().join("model.safetensors").exists());
    assert!(home.names("refs").is_empty());
}

#[test]
fn a_server_that_refuses() {
    let gated = "accept the licence on http://127.0.0.1:";
    for (status, reason, parts) in [
        (401, "RepoNotFound", ["answers 401 (RepoNotFound)", "does not exist, is private, or is gated", "HF_TOKEN"]),
        (401, "GatedRepo", ["answers 401 (GatedRepo)", gated, "/tests/tiny and set HF_TOKEN"]),
        (404, "RevisionNotFound", ["answers 404 (RevisionNotFound)", "check the spelling", "/tests/tiny"]),
        (503, "", ["answers 503", "try again later", "cannot fetch `tests/tiny`"]),
    ] {
        let server = Server::start(Repo::default().failing(Fault::Status(status, reason)));
        let home = Home::of(&server);
        check(&home.run_with(&["pull", "tests/tiny"], &[]).refused(), &parts);
        assert!(!home.repo().exists());
    }
    let server = Server::start(Repo::default().failing(Fault::Status(403, "GatedRepo")));
    check(&Home::of(&server).run(&["pull", "tests/tiny"]).refused(), &[gated, "with the account of your HF_TOKEN"]);
    check(&Home::without_server().run(&["pull", "tests/tiny"]).refused(), &["cannot reach http://", "HF_ENDPOINT"]);
}

#[test]
fn repositories_without_weights_that_are_safe_to_read() {
    let tiny = Repo::of(&tiny("tiny-llama")).without("model.safetensors").without("golden.safetensors");
    for (repo, parts) in [
        (tiny.clone().with("pytorch_model.bin", b""), ["only as pickles", "pytorch_model.bin", "hint: look for a saf"]),
        (tiny.clone(), ["has no model.safetensors", "hint: ", "tests/tiny"]),
        (
            tiny.clone().with("model.safetensors", b"").without("tokenizer.json"),
            ["has no tokenizer.json", "hint: ", "tests/tiny"],
        ),
    ] {
        let server = Server::start(repo);
        let home = Home::of(&server);
        check(&home.run(&["pull", "tests/tiny"]).refused(), &parts);
        assert_eq!(server.seen().len(), 1, "nothing is fetched");
        assert!(!home.repo().exists());
    }
}

#[test]
fn file_names_that_lead_out_of_the_cache() {
    let tiny = Repo::of(&tiny("tiny-llama"));
    for file in ["../evil", "/etc/evil.safetensors", "a/../../evil.json", "..\\evil"] {
        let server = Server::start(tiny.clone().with(file, b"evil"));
        let home = Home::of(&server);
        check(&home.run(&["pull", "tests/tiny"]).refused(), &[file, "leads out of its folder"]);
        assert!(!home.repo().exists());
    }
    let index = br#"{"weight_map": {"a": "../../../../evil.safetensors"}}"#;
    let server = Server::start(tiny.without("model.safetensors").with("model.safetensors.index.json", index));
    let home = Home::of(&server);
    check(&home.run(&["pull", "tests/tiny"]).stderr, &["evil.safetensors", "leads out of its folder"]);
}

#[test]
fn offline_means_no_request() {
    let server = Server::start(Repo::of(&tiny("tiny-llama")));
    let home = Home::of(&server);
    let offline = home.run_with(&["pull", "tests/tiny"], &[("HF_HUB_OFFLINE", "1")]).refused();
    check(&offline, &["HF_HUB_OFFLINE is set", "hint: "]);
    check(&home.run(&predict("tests/tiny")).refused(), &["no such model in the cache", "`lmscope pull tests/tiny`"]);
    check(&home.run(&predict("hf://tests/tiny@v1/q.gguf")).refused(), &["`lmscope pull tests/tiny@v1 q.gguf`"]);
    assert!(server.seen().is_empty());
}

#[test]
fn names_that_are_none() {
    let home = Home::without_server();
    for name in ["tiny", "hf://a/b/c.bin", "../tiny", "tests/tiny@"] {
        check(&home.run(&["pull", name]).refused(), &["is no name of a model on the hub", "hint: write org/name"]);
    }
    check(&home.run(&["pull", "a/b", "pytorch_model.bin"]).refused(), &["is a .gguf"]);
    check(&home.run(&predict("hf://a/b/c/model.bin")).refused(), &["is a .gguf"]);
}
