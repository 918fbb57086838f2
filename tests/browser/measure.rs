//! How long large reports take to open and to use, in headless Chromium; run by hand on a quiet machine.
//!
//! usage: cargo run --manifest-path tests/browser/Cargo.toml -- LMSCOPE MODEL
//!
//! LMSCOPE is a released binary, MODEL the model whose 512-token prompt is explained. Printed are medians over five rounds:
//! a report of 10,000 items, from asking for the page until its items can be used, and for each filter; a report with the
//! attention of all heads, until it can be used, and for drawing another head.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use fantoccini::Locator;
use lmscope_browser::Page;

const ROUNDS: usize = 5;

fn lmscope(binary: &str, arguments: &[&str]) {
    assert!(Command::new(binary).args(arguments).status().unwrap().success(), "{arguments:?}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn megabytes(file: &Path) -> f64 {
    fs::metadata(file).unwrap().len() as f64 / 1e6
}

/// Words that do not repeat, so that they take the room that real texts do.
fn words(state: &mut u64) -> String {
    let word = |_| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:05x}", *state >> 44)
    };
    (0..40).map(word).collect::<Vec<_>>().join(" ")
}

/// A record of 10,000 items: those of a real one, again and again, each with a context of its own of 240 letters.
fn large_record(binary: &str, folder: &Path) -> String {
    let run = folder.join("run");
    let name = run.to_str().unwrap().to_owned();
    lmscope(binary, &["eval", "run", "next-word", "--no-cache", "-o", &name]);
    let items = fs::read_to_string(run.join("items.jsonl")).unwrap();
    let (mut large, mut state) = (String::new(), 1);
    for copy in 0..10_000_usize.div_ceil(items.lines().count()) {
        for line in items.lines() {
            let mut item: serde_json::Value = serde_json::from_str(line).unwrap();
            item["id"] = format!("{}-{copy}", item["id"].as_str().unwrap()).into();
            item["requests"][0]["loglikelihood"]["context"] = words(&mut state).into();
            large += &format!("{item}\n");
        }
    }
    fs::write(run.join("items.jsonl"), large).unwrap();
    name
}

async fn items(page: &Path) {
    let (mut opened, mut filtered) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let open = Page::open(page).await;
        let started = Instant::now();
        open.client.refresh().await.unwrap();
        open.until("document.querySelector('figure.items').dataset.ready === 'true'").await;
        opened.push(started.elapsed().as_secs_f64());
        let which = open.client.find(Locator::Css("select.which")).await.unwrap();
        which.select_by_index(1).await.unwrap();
        open.client.find(Locator::Css(".find")).await.unwrap().send_keys("cat").await.unwrap();
        let took = open.text("document.querySelector('figure.items').dataset.milliseconds").await;
        filtered.push(took.parse().unwrap());
        open.close().await;
    }
    println!(
        "10,000 items: {:.1} MB, usable after {:.2} s, a filter {:.1} ms",
        megabytes(page),
        median(opened),
        median(filtered)
    );
}

async fn attention(page: &Path) {
    let (mut opened, mut drawn) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let open = Page::open(page).await;
        let started = Instant::now();
        open.client.refresh().await.unwrap();
        open.until("document.querySelector('figure.attention').dataset.drawn !== undefined").await;
        opened.push(started.elapsed().as_secs_f64());
        open.client.find(Locator::Css("select.layer")).await.unwrap().select_by_index(1).await.unwrap();
        open.until("document.querySelector('figure.attention').dataset.drawn.startsWith('1 ')").await;
        let took = open.text("document.querySelector('figure.attention').dataset.milliseconds").await;
        drawn.push(took.parse().unwrap());
        open.close().await;
    }
    println!(
        "attention of 512 tokens: {:.1} MB, usable after {:.2} s, a head {:.1} ms",
        megabytes(page),
        median(opened),
        median(drawn)
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(binary), Some(model)) = (arguments.next(), arguments.next()) else {
        panic!("usage: measure LMSCOPE MODEL");
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let record = large_record(&binary, folder.path());
    lmscope(&binary, &["report", "eval", &record, "-o", at("items.html").to_str().unwrap()]);
    items(&at("items.html")).await;
    let words = "The quick brown fox jumps over the lazy dog near the river bank while birds sing".split(' ');
    let prompt: Vec<&str> = words.cycle().take(511).collect();
    let page = at("attention.html");
    lmscope(&binary, &["report", "explain", &prompt.join(" "), "-m", &model, "-o", page.to_str().unwrap()]);
    attention(&page).await;
}
