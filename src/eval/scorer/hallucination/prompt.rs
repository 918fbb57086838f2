//! How a question is asked: plainly, with a confidence target, and whether an answer to it is true.
//!
//! A base model gets the suite's `prompt` with its examples, or the beginning of a sentence where the item has one; in a
//! chat the question is what the user says.

use crate::eval::context;
use crate::eval::prepare::PrepareOptions;

/// What the suite says of its prompts, with places in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompts {
    /// Around a `{question}`, for a model that is not asked in a chat.
    pub(super) plain: String,
    /// A confidence target: `{percent}`, and the `{penalty}` of a mistake.
    pub(super) confidence: String,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question<'a> {
    /// As a question.
    pub(super) text: &'a str,
    /// As the beginning of a sentence that ends with the answer, which a model that is not asked in a chat gets instead.
    pub(super) statement: Option<&'a str>,
}

/// A prompt that lacks the answers that a model will have given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    before: String,
    after: String,
}

/// Where the answers will be; in no text that somebody writes.
const ANSWERS: &str = "{{lmscope:answers}}";

impl Prompts {
    /// The context of a question.
    pub(super) fn ask(&self, question: Question<'_>, options: &PrepareOptions<'_>) -> Result<String, String> {
        match options.chat {
            Some(_) => context::question(question.text, options),
            None => context::question(&self.plain(question), options),
        }
    }

    /// The question for a model that is not asked in a chat.
    fn plain(&self, question: Question<'_>) -> String {
        match question.statement {
            Some(statement) => statement.to_owned(),
            None => self.plain.replace("{question}", question.text),
        }
    }

    /// The same where answering pays above a confidence of `target`: the rule comes before everything else, in a chat
    /// after the question.
    pub(super) fn ask_with_target(
        &self,
        question: Question<'_>,
        target: f64,
        options: &PrepareOptions<'_>,
    ) -> Result<String, String> {
        let percent = format!("{}", (target * 100.0).round());
        let penalty = format!("{}", super::verdict::penalty(target).round());
        let rule = self.confidence.replace("{percent}", &percent).replace("{penalty}", &penalty);
        match options.chat {
            Some(_) => context::question(&format!("{} {rule}", question.text), options),
            None => context::question(&format!("{rule}\n\n{}", self.plain(question)), options),
        }
    }
}

impl Open {
    /// Whether an answer to a question is true, in the words of Kadavath et al. 2022.
    pub(super) fn is_true(question: &str, options: &PrepareOptions<'_>) -> Result<Self, String> {
        let text = format!(
            "Question: {question}\nBrainstormed Answers: {ANSWERS}\nIs the possible answer:\nA) True\nB) False\nThe \
             possible answer is:"
        );
        let rendered = context::question(&text, options)?;
        let parts = rendered.split_once(ANSWERS).ok_or("the chat template leaves out what the user says")?;
        Ok(Self { before: parts.0.to_owned(), after: parts.1.to_owned() })
    }

    /// The prompt for an answer, among others that the model has given.
    pub(super) fn filled(&self, answer: &str, others: &[&str]) -> String {
        let others = others.iter().map(|other| one_line(other)).collect::<Vec<_>>().join("\n");
        format!("{}{others}\nPossible answer: {}{}", self.before, one_line(answer), self.after)
    }
}

/// A text without the breaks of its lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between a context and an answer that is scored: in a chat the answer begins by itself.
pub(super) fn delimiter(options: &PrepareOptions<'_>) -> &'static str {
    if options.chat.is_some() { "" } else { " " }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::prepare::{Chat, Turns};
    use crate::text::ChatTemplate;

    fn prompts() -> Prompts {
        Prompts {
            plain: "Q: x?\nA: y.\n\nQ: {question}\nA:".into(),
            confidence: "Above {percent} %: -{penalty}.".into(),
        }
    }

    const TEMPLATE: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";

    #[test]
    fn a_base_model_gets_the_examples_and_a_chat_the_question_alone() {
        let (prompts, plain) = (prompts(), PrepareOptions::default());
        let why = Question { text: "Why?", statement: None };
        let begun = Question { statement: Some("Because of"), ..why };
        assert_eq!(prompts.ask(why, &plain).unwrap(), "Q: x?\nA: y.\n\nQ: Why?\nA:");
        assert_eq!(
            prompts.ask_with_target(why, 0.75, &plain).unwrap(),
            "Above 75 %: -3.\n\nQ: x?\nA: y.\n\nQ: Why?\nA:"
        );
        assert_eq!(prompts.ask(begun, &plain).unwrap(), "Because of");
        assert_eq!(prompts.ask_with_target(begun, 0.5, &plain).unwrap(), "Above 50 %: -1.\n\nBecause of");
        let template = ChatTemplate::new(TEMPLATE, None, None).unwrap();
        let chat = Chat { template: &template, turns: Turns::Each };
        let chat = PrepareOptions { chat: Some(chat), system: Some("Be brief."), ..plain };
        assert_eq!(prompts.ask(begun, &chat).unwrap(), "<system>Be brief.<user>Why?<assistant>");
        assert_eq!(
            prompts.ask_with_target(begun, 0.9, &chat).unwrap(),
            "<system>Be brief.<user>Why? Above 90 %: -9.<assistant>"
        );
        assert_eq!([delimiter(&plain), delimiter(&chat)], [" ", ""]);
    }

    #[test]
    fn answers_are_put_where_they_belong() {
        let open = Open::is_true("Who?", &PrepareOptions::default()).unwrap();
        let expected = "Question: Who?\nBrainstormed Answers: Ann\nBob Lee\nPossible answer: Ann\nIs the possible \
                        answer:\nA) True\nB) False\nThe possible answer is:";
        assert_eq!(open.filled(" Ann", &["Ann ", "Bob\nLee"]), expected);
        let mute = ChatTemplate::new("nothing", None, None).unwrap();
        let chat = Chat { template: &mute, turns: Turns::Each };
        let error = Open::is_true("Who?", &PrepareOptions { chat: Some(chat), ..PrepareOptions::default() });
        assert_eq!(error.unwrap_err(), "the chat template leaves out what the user says");
    }
}
