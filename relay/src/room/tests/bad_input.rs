//! What nobody should send: refused or neutralised with a reason, and others undisturbed.

use shared::room::{
    danmaku,
    polls::{self, PollId},
    questions,
};

use super::*;

fn bullet(text: &str) -> Say {
    let (color, mode) = Default::default();
    Say::Danmaku(danmaku::Draft { text: text.to_owned(), color, mode, media: None })
}

fn question(text: &str) -> Say {
    Say::Ask(questions::Draft { text: text.to_owned() })
}

/// What a text is refused with as each kind of it. Each is said by somebody else: none waits for its allowance.
fn refusals(text: &str) -> [Refusal; 3] {
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    [chat(text), bullet(text), question(text)].map(|say| stage.refused(ann, say))
}

#[test]
fn too_long() {
    let why = refusals(&"x".repeat(501));
    assert_eq!(why, [500, 100, 300].map(|max| Refusal::TooLong { max }));
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    let reply = stage.utters(ann, &vec![b'x'; 8 << 10 | 1]);
    assert!(matches!(reply, Some(Reply::Refused { id: None, why: Refusal::Malformed { .. } })));
    // At the bound it is said, in letters of four bytes as well.
    stage.does(ann, chat(&"𝄞".repeat(500)));
}

#[test]
fn empty() {
    assert_eq!(refusals(""), [Refusal::Empty, Refusal::Empty, Refusal::Empty]);
    assert_eq!(refusals(" \t\u{3000} "), [Refusal::Empty, Refusal::Empty, Refusal::Empty]);
}

#[test]
fn control_characters_overrides_and_zalgo() {
    for text in
        ["a\u{0}b", "a\u{1b}[31m", "\u{202e}abc", "a\u{2066}b", "z\u{300}\u{301}\u{302}\u{303}\u{304}"]
    {
        assert_eq!(refusals(text), [Refusal::BadText, Refusal::BadText, Refusal::BadText], "{text:?}");
    }
}

#[test]
fn html_is_text() {
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    let text = "<script>alert(1)</script> <img src=x onerror=y> & \" '";
    stage.does(ann, chat(text));
    assert_eq!(stage.chat()[0].text, text);
}

#[test]
fn ten_thousand_a_second_from_one_viewer() {
    let mut stage = Stage::new();
    let (ann, bob) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "bob", Role::Viewer));
    for n in 0..10_000 {
        stage.now += n % 10 / 9;
        stage.says(ann, chat("flood"));
        if n == 5_000 {
            stage.does(bob, chat("undisturbed"));
        }
    }
    let counts = stage.room.take_counts();
    assert!(counts.accepted <= 7 && counts.ignored > 9_600, "{counts:?}");
    let answers = stage.replies.iter().filter(|(to, _)| *to == ann).count();
    assert!(answers < 320, "a flood is not answered one by one: {answers}");
    assert!(stage.chat().iter().any(|message| message.text == "undisturbed"));
}

#[test]
fn sayings_of_sessions_that_are_not_there() {
    let mut stage = Stage::new();
    let bytes = serde_json::to_vec(&Saying { id: SayId(1), say: chat("ghost") }).expect("JSON");
    assert_eq!(stage.utters(SessionId(99), &bytes), None);
    stage.handle(Input::Listens(SessionId(99)));
    stage.handle(Input::Left(SessionId(99)));
    assert!(stage.chat().is_empty() && stage.replies.is_empty());
}

#[test]
fn a_vote_twice_and_for_what_is_not_there() {
    let mut stage = Stage::new();
    let (ann, host) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "host", Role::Host));
    let choices = vec!["a".to_owned(), "b".to_owned()];
    let draft = polls::Draft { question: "which?".to_owned(), choices, correct: None };
    stage.does(host, Say::Poll(polls::Act::Open(draft)));
    let poll = stage.room.state().polls[0].poll;
    let vote = |poll, choice| Say::Vote(polls::Vote { poll, choice });
    stage.does(ann, vote(poll, 0));
    assert_eq!(stage.refused(ann, vote(poll, 1)), Refusal::Again);
    assert_eq!(stage.refused(ann, vote(PollId(poll.0 + 1), 1)), Refusal::Unknown);
    assert_eq!(stage.refused(ann, vote(poll, 2)), Refusal::Unknown);
    // Another session of the same viewer is the same viewer.
    let other = stage.comes(3, "ann", Role::Viewer);
    assert_eq!(stage.refused(other, vote(poll, 1)), Refusal::Again);
}

#[test]
fn what_takes_another_role() {
    use shared::room::{mode, notice, presence, products};
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    for say in [
        Say::Delete(chat::Delete { message: shared::room::MessageId(1) }),
        Say::Mute(mode::Mute { viewer: viewer("bob"), seconds: 1 }),
        Say::Ban(mode::Ban { viewer: viewer("bob"), reach: mode::Reach::Address }),
        Say::Unban(mode::Unban { viewer: viewer("ann") }),
        Say::Mode(mode::Change::default()),
        Say::Notice(notice::Draft { text: "me".to_owned() }),
        Say::Product(products::Act::Unpin),
        Say::LowerHands(presence::Lower { viewer: None }),
    ] {
        assert_eq!(stage.refused(ann, say.clone()), Refusal::NotAllowed, "{say:?}");
    }
}

#[test]
fn a_place_in_the_broadcast_that_is_in_the_far_future_is_left_out() {
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    for (media, shown) in [(u64::MAX, None), (5, Some(5))] {
        let media = Some(shared::media::Timestamp(media));
        stage.does(ann, Say::Chat(chat::Draft { text: "now".to_owned(), reply_to: None, media }));
        let last = stage.chat().pop().expect("a message");
        assert_eq!(last.media, shown.map(shared::media::Timestamp));
    }
}

#[test]
fn sessions_of_one_viewer_are_bounded() {
    let mut stage = Stage::new();
    for session in 0..20 {
        stage.comes(session, "ann", Role::Viewer);
    }
    assert_eq!(stage.away.len(), 12);
}
