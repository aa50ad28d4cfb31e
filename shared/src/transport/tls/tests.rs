use std::fs;

use super::*;
use crate::transport::tests::Folder;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A whole second: certificates keep no fractions.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

#[test]
fn a_hash_is_read_as_it_is_written_and_with_colons() {
    let hash = CertHash::of(b"certificate");
    let text = hash.to_string();
    assert_eq!(text.parse::<CertHash>(), Ok(hash));
    let pairs: Vec<_> =
        text.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    assert_eq!(format!(" {}\n", pairs.join(":")).parse::<CertHash>(), Ok(hash));
    for wrong in
        ["", "ab", &text[1..], &format!("{text}0"), &format!("{text}00"), &text.replace(&text[..1], "g")]
    {
        let error = wrong.parse::<CertHash>().unwrap_err();
        assert!(error.0.contains("64 hex digits"), "{wrong}: {error}");
    }
    // Known value: SHA-256 of nothing.
    assert!(CertHash::of(b"").to_string().starts_with("e3b0c44298fc1c149afbf4c8996fb924"));
}

#[test]
fn a_self_made_certificate_stays_until_it_is_to_be_renewed() {
    let folder = Folder::new("renewal");
    let make = |at| Identity::self_made(&folder.0, &[], at).unwrap();
    let first = make(now());
    assert_eq!(first.not_after().duration_since(first.not_before()).unwrap(), 13 * DAY);
    assert!(first.not_before() < now());
    assert_eq!(first.renew_at(), first.not_after() - 2 * DAY);
    assert_eq!(make(first.renew_at() - Duration::from_secs(1)).hash(), first.hash());

    let renewed = make(first.renew_at());
    assert_ne!(renewed.hash(), first.hash());
    assert!(renewed.not_after() > first.not_after());
    // The clock went back to before the new one is valid.
    assert_ne!(make(now()).hash(), renewed.hash());
}

#[test]
fn a_self_made_certificate_names_what_is_asked_for() {
    let folder = Folder::new("names");
    let hosts = ["Live.Example".to_owned(), "192.0.2.7".to_owned(), "[2001:db8::0:1]".to_owned()];
    let make = |hosts: &[String]| Identity::self_made(&folder.0, hosts, now()).unwrap();
    let local = make(&[]);
    let named = make(&hosts);
    assert_ne!(named.hash(), local.hash(), "it lacks the names");
    assert_eq!(make(&hosts).hash(), named.hash());
    assert_eq!(make(&hosts[1..]).hash(), named.hash(), "more names than needed are fine");
    let error = Identity::self_made(&folder.0, &["näme".to_owned()], now()).unwrap_err();
    assert!(error.0.contains("cannot make a certificate for"), "{error}");
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("mode");
    Identity::self_made(&folder.0, &[], now()).unwrap();
    let mode = fs::metadata(folder.0.join("key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let files = fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(files, 2, "nothing half written stays");
}

#[test]
fn damaged_files_are_made_anew() {
    let folder = Folder::new("damaged");
    let make = || Identity::self_made(&folder.0, &[], now()).unwrap();
    let first = make();
    fs::write(folder.0.join("key.pem"), "rubbish").unwrap();
    let second = make();
    assert_ne!(second.hash(), first.hash());
    fs::remove_file(folder.0.join("certificate.pem")).unwrap();
    assert_ne!(make().hash(), second.hash());
}

#[test]
fn unusable_pem_files_are_named_with_what_is_wrong() {
    let (one, other) = (Folder::new("one"), Folder::new("other"));
    for folder in [&one, &other] {
        Identity::self_made(&folder.0, &[], now()).unwrap();
    }
    let (chain, key) = (one.0.join("certificate.pem"), one.0.join("key.pem"));
    let load =
        |chain: &Path, key: &Path| Identity::from_pem_files(chain, key).map(|identity| identity.hash());
    assert!(load(&chain, &key).is_ok());
    let error = |chain: &Path, key: &Path| load(chain, key).unwrap_err().0;
    assert!(error(&chain, &other.0.join("key.pem")).contains("do not belong together"));
    assert!(error(&chain, &chain).contains("there is no private key in"));
    assert!(error(&key, &key).contains("there is no certificate in"));
    let absent = one.0.join("absent.pem");
    assert!(error(&absent, &key).contains(&*absent.to_string_lossy()));

    let text = fs::read_to_string(&chain).unwrap();
    fs::write(&chain, text.replacen("MI", "AA", 1)).unwrap();
    assert!(error(&chain, &key).contains("not valid X.509"));
}

#[test]
fn an_unwritable_folder_is_an_error() {
    let folder = Folder::new("unwritable");
    let file = folder.0.join("file");
    fs::write(&file, "").unwrap();
    let error = Identity::self_made(&file.join("below"), &[], now()).unwrap_err();
    assert!(error.0.contains("choose a folder"), "{error}");
}

#[test]
fn the_key_is_not_shown() {
    let folder = Folder::new("debug");
    let identity = Identity::self_made(&folder.0, &[], now()).unwrap();
    let shown = format!("{identity:?}");
    assert!(shown.contains("hash") && !shown.to_lowercase().contains("key"), "{shown}");
}
