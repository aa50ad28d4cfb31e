//! What moderators do, and what of it everybody sees.

use shared::room::{
    MessageId,
    mode::{Approval, Ban, Change, Mute, Reach, Unban},
    presence::Rename,
    questions,
};

use super::*;

fn change(change: Change) -> Say {
    Say::Mode(change)
}

#[test]
fn a_deleted_message_is_gone_for_all_and_the_audit_log_says_what_it_was() {
    let mut stage = Stage::new();
    let (ann, moderator) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "mod", Role::Moderator));
    let message = MessageId(stage.does(ann, chat("rude")).expect("a message"));
    stage.does(moderator, Say::Delete(chat::Delete { message }));
    assert!(stage.chat().is_empty());
    assert!(stage.kept.contains(&Kept::Deleted(message)));
    let act = stage.desk().acts.pop().expect("an act");
    assert_eq!((act.act.as_str(), act.detail.as_str(), act.to), ("delete", "rude", Some(viewer("ann"))));
    let unknown = Say::Delete(chat::Delete { message: MessageId(u64::MAX) });
    assert_eq!(stage.refused(moderator, unknown), Refusal::Unknown);
}

#[test]
fn a_moderator_acts_on_viewers_and_a_host_on_moderators_as_well() {
    let mut stage = Stage::new();
    let host = stage.comes(1, "host", Role::Host);
    let moderator = stage.comes(2, "mod", Role::Moderator);
    let mute = |name: &str| Say::Mute(Mute { viewer: viewer(name), seconds: 5 });
    assert_eq!(stage.refused(moderator, mute("host")), Refusal::NotAllowed);
    assert_eq!(stage.refused(moderator, mute("mod")), Refusal::NotAllowed);
    stage.does(host, mute("mod"));
    let message = MessageId(stage.does(host, chat("mine")).expect("a message"));
    assert_eq!(stage.refused(moderator, Say::Delete(chat::Delete { message })), Refusal::NotAllowed);
}

#[test]
fn a_muted_viewer_is_told_and_speaks_again_when_the_time_is_over() {
    let mut stage = Stage::new();
    let (ann, moderator) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "mod", Role::Moderator));
    stage.does(moderator, Say::Mute(Mute { viewer: viewer("ann"), seconds: 10 }));
    let told = stage.replies.iter().any(
        |(to, reply)| matches!(reply, Reply::You(you) if *to == ann && you.muted_until == Some(Wall(1_010_000))),
    );
    assert!(told);
    assert_eq!(stage.refused(ann, chat("hm")), Refusal::Muted { seconds: 10.0 });
    stage.pass(10_000);
    stage.does(ann, chat("hm"));
}

#[test]
fn a_ban_takes_away_what_was_said_ends_the_sessions_and_reaches_the_address() {
    let mut stage = Stage::new();
    let moderator = stage.comes(2, "mod", Role::Moderator);
    let address = IpAddr::from([192, 0, 2, 7]);
    let from = |stage: &mut Stage, session: u64, name: &str| {
        let who = identity(name, Role::Viewer);
        stage.handle(Input::Came { session: SessionId(session), who, address });
        SessionId(session)
    };
    let (ann, beside) = (from(&mut stage, 10, "ann"), from(&mut stage, 11, "beside"));
    stage.handle(Input::Listens(ann));
    stage.does(ann, chat("spam"));
    stage.does(moderator, Say::Ban(Ban { viewer: viewer("ann"), reach: Reach::Address }));
    assert_eq!(stage.away, [ann, beside]);
    assert!(stage.chat().is_empty());
    assert_eq!(stage.desk().banned.len(), 1);
    // They come again: the one by its name, the other by its address.
    stage.comes(12, "ann", Role::Viewer);
    from(&mut stage, 13, "third");
    assert_eq!(stage.away[2..], [SessionId(12), SessionId(13)]);
    stage.does(moderator, Say::Unban(Unban { viewer: viewer("ann") }));
    stage.comes(14, "ann", Role::Viewer);
    assert_eq!(stage.away.len(), 4);
}

#[test]
fn what_waits_for_approval_is_seen_by_moderators_until_they_decide() {
    let mut stage = Stage::new();
    let (ann, moderator) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "mod", Role::Moderator));
    stage.does(moderator, change(Change { approval: Some(Approval::All), ..Change::default() }));
    assert_eq!(stage.refused(ann, chat("please")), Refusal::Waiting);
    assert_eq!(stage.refused(ann, chat("or not")), Refusal::Waiting);
    let asked = Say::Ask(questions::Draft { text: "why?".to_owned() });
    assert_eq!(stage.refused(ann, asked), Refusal::Waiting);
    assert!(stage.chat().is_empty() && late(&stage.published).questions.is_empty());
    let waiting: Vec<MessageId> = stage.desk().waiting.iter().map(|waiting| waiting.message).collect();
    for (message, verdict) in waiting.into_iter().zip([chat::Verdict::Show, chat::Verdict::Drop]) {
        let approve = Say::Approve(chat::Approve { message, verdict });
        stage.does(moderator, approve.clone());
        assert_eq!(stage.refused(moderator, approve), Refusal::Unknown);
    }
    let texts: Vec<String> = stage.chat().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["please"]);
    assert_eq!((stage.desk().waiting.len(), stage.desk().questions.len()), (0, 1));
}

#[test]
fn slow_mode_holds_back_viewers_and_not_moderators() {
    let mut stage = Stage::new();
    let (ann, moderator) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "mod", Role::Moderator));
    stage.does(moderator, change(Change { slow_seconds: Some(30), ..Change::default() }));
    stage.does(ann, chat("one"));
    stage.pass(10_000);
    assert_eq!(stage.refused(ann, chat("two")), Refusal::TooFast { seconds: 20.0 });
    stage.pass(20_000);
    stage.does(ann, chat("two"));
    stage.does(moderator, chat("a"));
    stage.does(moderator, chat("b"));
}

#[test]
fn a_new_name_counts_from_then_on_and_no_blocked_word_is_one() {
    let mut stage = Stage::new();
    let (ann, moderator) = (stage.comes(1, "ann", Role::Viewer), stage.comes(2, "mod", Role::Moderator));
    let words = Some(vec!["host".to_owned()]);
    stage.does(moderator, change(Change { blocked_words: words, ..Change::default() }));
    let rename = |name: &str| Say::Rename(Rename { name: name.to_owned() });
    assert_eq!(stage.refused(ann, rename("the H O S T")), Refusal::BlockedWord);
    assert_eq!(stage.refused(ann, rename(&"x".repeat(25))), Refusal::TooLong { max: 24 });
    stage.does(ann, rename("Ann-Marie"));
    stage.does(ann, chat("hello"));
    assert_eq!(stage.chat()[0].from.name, "Ann-Marie");
    // It stays over a reconnect.
    stage.handle(Input::Left(ann));
    let again = stage.comes(3, "ann", Role::Viewer);
    stage.does(again, chat("back"));
    assert_eq!(stage.chat()[1].from.name, "Ann-Marie");
}

#[test]
fn an_answer_quotes_what_it_answers() {
    let mut stage = Stage::new();
    let ann = stage.comes(1, "ann", Role::Viewer);
    let first = MessageId(stage.does(ann, chat(&"long ".repeat(40))).expect("a message"));
    let answer =
        |message| Say::Chat(chat::Draft { text: "yes".to_owned(), reply_to: Some(message), media: None });
    stage.does(ann, answer(first));
    let quoted = stage.chat()[1].reply_to.clone().expect("a quote");
    assert_eq!((quoted.message, quoted.name.as_str(), quoted.text.chars().count()), (first, "ANN", 80));
    assert_eq!(stage.refused(ann, answer(MessageId(1))), Refusal::Unknown);
}
