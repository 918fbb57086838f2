//! Reports as somebody uses them: pointed at, typed into, walked through with the keyboard.

use std::path::{Path, PathBuf};
use std::process::Command;

use fantoccini::Locator;
use fantoccini::key::Key;
use lmscope_browser::Page;
use serde_json::Value;

/// The binary that was built last.
fn binary() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/lmscope");
    std::env::var_os("LMSCOPE").map_or(built, PathBuf::from)
}

fn lmscope(arguments: &[&str]) {
    let output = Command::new(binary()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a stranger's data may bring.
const HOSTILE: [&str; 6] = [
    "<script>window.hacked=1</script>",
    "</script><img src=x onerror=window.hacked=1>",
    "\"'><svg onload=window.hacked=1>",
    "]]><!-- {{ 1 }} <style>body{display:none}</style>",
    "\u{202e}\u{1b}[2J\u{0}",
    "https://example.com/a.png",
];

/// Nothing was said on the console, and nothing but the page itself was asked for.
async fn is_quiet(page: &Page) {
    let said = page.console().await;
    assert!(said.is_empty(), "{said:?}");
    let asked = page.requests().await;
    assert!(asked.iter().all(|url| url.starts_with("file://") || url.starts_with("data:")), "{asked:?}");
    assert_eq!(page.value("window.hacked === undefined").await, Value::Bool(true));
}

/// What has no name, and texts that do not stand out enough (WCAG 2.2, 4.5 to 1).
const MISTAKES: &str = r#"(() => {
  const found = [], luminance = rgb => { const [r, g, b] = rgb.map(x => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const named = el => el.getAttribute('aria-label') || (el.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id)?.textContent || '').join('').trim() || [...(el.labels || [])].map(label => label.textContent).join('').trim() || el.textContent.trim();
  document.querySelectorAll('button, select, input, a, canvas, table, svg[role], [role=region], [role=table]').forEach(el => {
    const table = el.tagName === 'TABLE' && (el.closest('[aria-labelledby], [aria-label]') || el);
    if (!named(table || el)) found.push('no name: ' + el.outerHTML.slice(0, 120));
  });
  document.querySelectorAll('[aria-labelledby], [aria-describedby]').forEach(el => ['aria-labelledby', 'aria-describedby'].forEach(key => (el.getAttribute(key) || '').split(' ').filter(Boolean).forEach(id => { if (!document.getElementById(id)) found.push(`${key} names ${id}, which is not there`); })));
  const ids = [...document.querySelectorAll('[id]')].map(el => el.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach(id => found.push('twice: ' + id));
  if (document.querySelectorAll('h1').length !== 1) found.push('not one h1');
  if (!document.documentElement.lang) found.push('no language');
  const background = el => { for (let at = el; at; at = at.parentElement) { const colour = rgba(getComputedStyle(at).backgroundColor); if (colour[3] > 250) return colour; } return [255, 255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || seen.has(el) || ['SCRIPT', 'STYLE', 'OPTION'].includes(el.tagName) || !el.getClientRects().length) continue;
    seen.add(el);
    const style = getComputedStyle(el), isSvg = el.namespaceURI.endsWith('svg');
    const text = luminance(rgba(isSvg ? style.fill : style.color).slice(0, 3)), behind = luminance(background(el).slice(0, 3));
    const contrast = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} to 1: ${el.tagName}.${el.className.baseVal ?? el.className} ${walker.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return found.slice(0, 20);
})()"#;

async fn has_no_mistakes(page: &Page) {
    for _ in 0..2 {
        let found = page.value(MISTAKES).await;
        assert_eq!(found, Value::Array(Vec::new()), "{}", page.text("document.documentElement.dataset.theme").await);
        page.client.find(Locator::Css("#theme")).await.unwrap().click().await.unwrap();
    }
}

#[tokio::test]
async fn a_prompt_is_explored() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("why.html");
    lmscope(&["report", "explain", "The cat sat on a", "-o", file.to_str().unwrap()]);
    let page = Page::open(&file).await;
    page.until("document.querySelector('figure.attention').dataset.drawn !== undefined").await;

    // a token that is pointed at says its probability
    let token = page.client.find(Locator::Css("figure.strip li:nth-child(3)")).await.unwrap();
    let actions = fantoccini::actions::MouseActions::new("mouse".into());
    let over =
        fantoccini::actions::PointerAction::MoveToElement { element: token.clone(), duration: None, x: 0.0, y: 0.0 };
    use fantoccini::actions::InputSource as _;
    page.client.perform_actions(actions.then(over)).await.unwrap();
    page.until("!document.getElementById('tip').hidden").await;
    let tip = page.text("document.getElementById('tip').textContent").await;
    assert!(tip.contains("surprisal, bits") && tip.contains("its probability"), "{tip}");

    // another head is drawn, by the list and by the keyboard
    let drawn = "document.querySelector('figure.attention').dataset.drawn";
    let select = page.client.find(Locator::Css("select.layer")).await.unwrap();
    select.select_by_index(2).await.unwrap();
    page.until(&format!("{drawn}.startsWith('2 ')")).await;
    let pixels = "(() => { const c = document.querySelector('canvas.map'); return c.toDataURL(); })()";
    let before = page.text(pixels).await;
    page.client.find(Locator::Css("canvas.heads")).await.unwrap().send_keys(&Key::Down.to_string()).await.unwrap();
    page.until(&format!("{drawn} === '0 0'")).await;
    assert_ne!(before, page.text(pixels).await);

    // lines to what a token looks at, and from what looks at it
    let links = page.client.find(Locator::Css("canvas.links")).await.unwrap();
    let said = "document.querySelector('figure.attention .now').textContent";
    links.send_keys(&format!("{}{}{}", Key::Down, Key::Down, Key::Down)).await.unwrap();
    page.until(&format!("{said}.includes('2 ␣cat looks at: ')")).await;
    links.send_keys(&Key::Right.to_string()).await.unwrap();
    page.until(&format!("{said}.includes('2 ␣cat is looked at by: ')")).await;

    // the grid of the lens is walked with the arrow keys
    let grid = page.client.find(Locator::Css("figure.heatmap canvas")).await.unwrap();
    grid.send_keys(&format!("{}{}{}", Key::Down, Key::Down, Key::Right)).await.unwrap();
    page.until("document.querySelector('figure.heatmap .now').textContent.includes(':')").await;

    // the theme
    let paper = "getComputedStyle(document.body).backgroundColor";
    let light = page.text(paper).await;
    page.client.find(Locator::Css("#theme")).await.unwrap().click().await.unwrap();
    assert_ne!(light, page.text(paper).await);
    page.client.find(Locator::Css("#theme")).await.unwrap().click().await.unwrap();

    // Tab goes through everything that can be used, and shows where it is
    page.client.refresh().await.unwrap();
    page.until("document.documentElement.dataset.ready === 'true'").await;
    let mut visited = Vec::new();
    for _ in 0..60 {
        let active = page.client.active_element().await.unwrap();
        active.send_keys(&Key::Tab.to_string()).await.unwrap();
        let name = page.text("(e => e.id || e.className || e.tagName)(document.activeElement)").await;
        let outline = page.text("getComputedStyle(document.activeElement).outlineStyle").await;
        assert_eq!(outline, "solid", "no ring around {name}");
        visited.push(name);
    }
    for expected in ["skip", "theme", "A", "LI"] {
        assert!(visited.iter().any(|name| name == expected), "{expected}: {visited:?}");
    }
    has_no_mistakes(&page).await;
    is_quiet(&page).await;
    page.close().await;
}

#[tokio::test]
async fn items_are_searched_sorted_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (model, name) in [("slide", "old"), ("slide-chat", "new")] {
        lmscope(&["eval", "run", "next-word", "-m", model, "--no-cache", "-o", &at(name)]);
    }
    let file = dir.path().join("change.html");
    lmscope(&["report", "eval", &at("new"), "--baseline", &at("old"), "-o", file.to_str().unwrap()]);
    let page = Page::open(&file).await;
    page.until("document.querySelector('figure.items').dataset.ready === 'true'").await;
    let count = "document.querySelector('.count').textContent";
    let all = page.text(count).await;
    assert!(all.starts_with("80 of 80"), "{all}");

    let which = page.client.find(Locator::Css("select.which")).await.unwrap();
    let mut counts = Vec::new();
    for (index, name) in ["wrong", "right", "flipped"].iter().enumerate() {
        which.select_by_index(index + 1).await.unwrap();
        page.until(&format!("document.querySelector('.which').value === '{name}'")).await;
        counts.push(page.text(count).await.split(' ').next().unwrap().parse::<usize>().unwrap());
    }
    assert_eq!(counts[0] + counts[1], 80);
    assert!(counts[2] > 0 && counts[2] < 80, "{counts:?}");
    which.select_by_index(0).await.unwrap();

    let find = page.client.find(Locator::Css(".find")).await.unwrap();
    find.send_keys("cat").await.unwrap();
    page.until(&format!("!{count}.startsWith('80 of')")).await;
    find.send_keys(&Key::Backspace.to_string().repeat(3)).await.unwrap();
    page.until(&format!("{count}.startsWith('80 of')")).await;

    let first = "document.querySelector('.rows [role=row] span').textContent";
    page.client.find(Locator::Css("[data-key=id]")).await.unwrap().click().await.unwrap();
    let up = page.text(first).await;
    page.client.find(Locator::Css("[data-key=id]")).await.unwrap().click().await.unwrap();
    assert!(page.text(first).await > up);

    let rows = page.client.find(Locator::Css(".rows")).await.unwrap();
    rows.send_keys(&format!("{}{}", Key::Down, Key::Enter)).await.unwrap();
    page.until("document.querySelectorAll('.item .tokens li').length > 0").await;
    assert!(page.text("document.querySelector('.item .tokens li').dataset.tip").await.contains("surprisal"));

    // the table of results
    let heads = "document.querySelector('table.sortable th:nth-child(5)')";
    let column = "[...document.querySelectorAll('table.sortable')][0].tBodies[0].rows[0].cells[4].textContent";
    page.client.execute(&format!("{heads}.querySelector('button').click()"), Vec::new()).await.unwrap();
    let least: f64 = page.text(column).await.parse().unwrap();
    page.client.execute(&format!("{heads}.querySelector('button').click()"), Vec::new()).await.unwrap();
    assert!(page.text(column).await.parse::<f64>().unwrap() > least);
    assert_eq!(page.text(&format!("{heads}.getAttribute('aria-sort')")).await, "descending");
    has_no_mistakes(&page).await;
    is_quiet(&page).await;
    page.close().await;
}

#[tokio::test]
async fn what_a_stranger_writes_is_only_shown() {
    let dir = tempfile::tempdir().unwrap();
    let items: Vec<String> = HOSTILE
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let choices = [*text, "mat"];
            serde_json::json!({ "id": format!("{at}{text}"), "question": text, "choices": choices, "gold": 0 })
                .to_string()
        })
        .collect();
    std::fs::write(dir.path().join("items.jsonl"), items.join("\n")).unwrap();
    let suite = "name = \"hostile\"\nversion = 1\noutput_type = \"multiple_choice\"\ndoc_to_text = \"{{question}}\"\n\
                 doc_to_choice = \"choices\"\ndoc_to_target = \"gold\"\nid = \"id\"\n";
    std::fs::write(dir.path().join("suite.toml"), suite).unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    lmscope(&["eval", "run", &at(""), "--no-cache", "-o", &at("run")]);
    let file = dir.path().join("run.html");
    lmscope(&["report", "eval", &at("run"), "-o", file.to_str().unwrap()]);
    let page = Page::open(&file).await;
    page.until("document.querySelector('figure.items').dataset.ready === 'true'").await;
    for row in 0..HOSTILE.len() {
        page.client
            .execute(&format!("document.querySelectorAll('.rows [data-at]')[{row}].click()"), Vec::new())
            .await
            .unwrap();
    }
    assert_eq!(page.value("document.querySelectorAll('img, iframe, object, .item script').length").await, 0);
    is_quiet(&page).await;
    page.close().await;

    // so is a picture, and what is longer than a page
    let picture = dir.path().join("a.svg");
    let long = "x".repeat(1 << 20);
    for text in HOSTILE.iter().filter(|text| !text.contains('\0')) {
        lmscope(&["lens", "distribution", text, "--svg", picture.to_str().unwrap()]);
        let page = Page::open(&picture).await;
        assert_eq!(page.value("document.documentElement.tagName").await, "svg");
        assert_eq!(page.value("document.querySelectorAll('script, image, foreignObject').length").await, 0);
        is_quiet(&page).await;
        page.close().await;
    }
    let item = serde_json::json!({ "id": "long", "question": long, "choices": ["rug", "mat"], "gold": 0 });
    std::fs::write(dir.path().join("items.jsonl"), item.to_string()).unwrap();
    lmscope(&["eval", "run", &at(""), "--no-cache", "-o", &at("long")]);
    lmscope(&["report", "eval", &at("long"), "-o", file.to_str().unwrap()]);
    let page = Page::open(&file).await;
    page.until("document.querySelector('figure.items').dataset.ready === 'true'").await;
    page.client.execute("document.querySelector('.rows [data-at]').click()", Vec::new()).await.unwrap();
    page.until("document.querySelectorAll('.item pre').length > 0").await;
    page.close().await;

    for (at, text) in HOSTILE.iter().filter(|text| !text.contains('\0')).enumerate() {
        let file = dir.path().join(format!("{at}.html"));
        lmscope(&["report", "explain", text, "-o", file.to_str().unwrap()]);
        let page = Page::open(&file).await;
        assert_eq!(page.value("document.querySelectorAll('img, iframe, object').length").await, 0);
        is_quiet(&page).await;
        page.close().await;
    }
}
