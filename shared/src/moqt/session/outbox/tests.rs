use super::*;

#[test]
fn a_request_that_is_dropped_after_its_answer_was_taken_is_not_refused() {
    let mut outbox = Outbox::new(SubscribeOptions::default(), Budget::new(1 << 20));
    outbox.accept(SubscribeOk::default());
    assert_eq!(outbox.take_answer(), Some(Answer::Accept(SubscribeOk::default())));
    outbox.reject(RequestCode::InternalError, "dropped".to_owned());
    assert_eq!(outbox.take_answer(), None);
    assert!(!outbox.is_closed());
}
