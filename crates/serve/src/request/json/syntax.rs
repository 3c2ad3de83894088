/// What is wrong, without the position: that is one in a part of the body.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    message
}
