//! A question as a model is asked it, and an answer as the model would write it, its end included: in plain text as
//! `Q: …` and `A: …`, or in the turns of the model's chat template.

use super::prepare::{Chat, PrepareOptions};
use super::request::Loglikelihood;
use crate::text::{Ending, Message};

/// An answer that stands for any other where a template is asked how it closes one.
const PROBE: &str = "answer";

/// What is before an answer, and what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The context: all that is given.
    pub(super) context: String,
    before: String,
    after: String,
}

impl Frame {
    /// A question in plain text, where an answer ends with its line, or in the chat that the options ask for.
    ///
    /// # Errors
    /// What the chat template says of the messages.
    pub(super) fn of(question: &str, options: &PrepareOptions<'_>) -> Result<Self, String> {
        match &options.chat {
            Some(chat) => Self::in_chat(question, chat, options.system),
            None => Ok(Self::plain(question, options.system)),
        }
    }

    fn plain(question: &str, system: Option<&str>) -> Self {
        let system = system.map_or_else(String::new, |system| format!("{system}\n\n"));
        Self { context: format!("{system}Q: {question}\nA:"), before: " ".into(), after: "\n".into() }
    }

    fn in_chat(question: &str, chat: &Chat<'_>, system: Option<&str>) -> Result<Self, String> {
        let mut messages: Vec<Message> = system.iter().map(|system| Message::new("system", *system)).collect();
        messages.push(Message::new("user", question));
        let rendered = |messages: &[Message], ending| chat.template.render(messages, ending);
        let context = rendered(&messages, Ending::OpenForAssistant).map_err(|error| error.to_string())?;
        messages.push(Message::new("assistant", PROBE));
        let closed = rendered(&messages, Ending::Closed).map_err(|error| error.to_string())?;
        // a template that writes the answer elsewhere than after what it opens says nothing of how an answer ends
        let (before, after) = closed.strip_prefix(&context).and_then(|rest| rest.split_once(PROBE)).unwrap_or_default();
        Ok(Self { before: before.into(), after: after.trim_end().into(), context })
    }

    /// An answer, with what stands before it and what ends it.
    pub(super) fn continuation(&self, answer: &str) -> String {
        format!("{}{answer}{}", self.before, self.after)
    }

    /// An answer on a line of its own, so that plain text and a chat cut it into the same tokens.
    pub(super) fn along(&self, answer: &str) -> Loglikelihood {
        let line = if self.context.ends_with(char::is_whitespace) { "" } else { "\n" };
        Loglikelihood { context: format!("{}{line}", self.context), continuation: answer.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::prepare::Turns;
    use crate::text::ChatTemplate;

    const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}\
        {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    fn framed(template: &str, system: Option<&str>) -> Result<Frame, String> {
        let template = ChatTemplate::new(template, None, None).unwrap();
        let chat = Some(Chat { template: &template, turns: Turns::Each });
        Frame::of("Who?", &PrepareOptions { chat, system, ..PrepareOptions::default() })
    }

    #[test]
    fn in_plain_text_an_answer_ends_with_its_line() {
        let plain = Frame::of("Who?", &PrepareOptions::default()).unwrap();
        assert_eq!((plain.context.as_str(), plain.continuation("Ann.")), ("Q: Who?\nA:", " Ann.\n".to_owned()));
        let system = PrepareOptions { system: Some("Be brief."), ..PrepareOptions::default() };
        assert_eq!(Frame::of("Who?", &system).unwrap().context, "Be brief.\n\nQ: Who?\nA:");
        let along = plain.along("Ann.");
        assert_eq!((along.context.as_str(), along.continuation.as_str()), ("Q: Who?\nA:\n", "Ann."));
    }

    #[test]
    fn in_a_chat_an_answer_ends_as_the_template_ends_it() {
        let frame = framed(CHATML, Some("Be brief.")).unwrap();
        let context =
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!((frame.context.as_str(), frame.continuation("Ann.")), (context, "Ann.<|im_end|>".to_owned()));
        assert_eq!(frame.along("Ann.").context, context);
        let thinks = CHATML.replace(
            "\n{{ m['content']",
            "\n{% if m['role'] == 'assistant' %}<think></think>{% endif %}{{ m['content']",
        );
        assert_eq!(framed(&thinks, None).unwrap().continuation("Ann."), "<think></think>Ann.<|im_end|>");
    }

    #[test]
    fn a_template_that_opens_elsewhere_ends_nothing_and_one_that_refuses_says_why() {
        let other =
            "{% for m in messages %}{{ m['content'] }};{% endfor %}{% if add_generation_prompt %}AI:{% endif %}";
        assert_eq!(framed(other, None).unwrap().continuation("Ann."), "Ann.");
        let error = framed("{{ raise_exception('no') }}", None).unwrap_err();
        assert_eq!(error, "the chat template refuses these messages: no");
    }
}
