//! A page of lmscope in headless Chromium.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// A page that is open.
#[derive(Debug)]
pub struct Page {
    /// The browser.
    pub client: Client,
    driver: Child,
}

/// What the browser writes down.
#[derive(Debug)]
struct Log(&'static str);

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": self.0 }).to_string()))
    }
}

impl Page {
    /// Opens a file.
    pub async fn open(file: &Path) -> Self {
        let mut driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map(Result::unwrap).find_map(|line| {
            let rest = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"],
        });
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".into(), options);
        capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL", "performance": "ALL" }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://localhost:{}", port.unwrap())).await;
        let client = client.unwrap();
        let page = Self { client, driver };
        page.show(file).await;
        if file.extension().is_some_and(|extension| extension == "html") {
            page.until("document.documentElement.dataset.ready === 'true'").await;
        }
        page
    }

    /// Goes to another file, which need not be a report.
    pub async fn show(&self, file: &Path) {
        self.client.goto(&format!("file://{}", file.display())).await.unwrap();
        self.until("document.readyState === 'complete'").await;
    }

    /// What a script returns.
    pub async fn value(&self, script: &str) -> Value {
        self.client.execute(&format!("return {script}"), Vec::new()).await.unwrap()
    }

    /// What a script returns, as text.
    pub async fn text(&self, script: &str) -> String {
        self.value(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a script returns true.
    pub async fn until(&self, script: &str) {
        for _ in 0..1200 {
            if self.value(script).await == Value::Bool(true) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("never true: {script}");
    }

    /// What the console says.
    pub async fn console(&self) -> Vec<String> {
        let said = self.client.issue_cmd(Log("browser")).await.unwrap();
        said.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were asked for.
    pub async fn requests(&self) -> Vec<String> {
        let said = self.client.issue_cmd(Log("performance")).await.unwrap();
        let entries = said.as_array().unwrap().iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        });
        entries.collect()
    }

    /// Closes it.
    pub async fn close(mut self) {
        self.client.clone().close().await.unwrap();
        self.driver.kill().unwrap();
        self.driver.wait().unwrap();
    }
}
