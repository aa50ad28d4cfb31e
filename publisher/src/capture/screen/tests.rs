use std::{
    io::{BufRead as _, BufReader, ErrorKind},
    process::{Child, Command, Stdio},
};

use x11rb::{
    CURRENT_TIME, NONE,
    protocol::{
        randr::ConnectionExt as _,
        xproto::{ChangeWindowAttributesAux, CreateGCAux, Rectangle},
    },
};

use super::*;

/// An X server of the test's own, which ends with it.
struct Server {
    process: Child,
    display: String,
}

impl Server {
    /// One whose screen has this size; `None` where no Xvfb is installed, which CI does not accept.
    fn start(size: &str) -> Option<Self> {
        let process = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = match process {
            Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
                eprintln!("not tested: Xvfb is not installed (apt install xvfb)");
                return None;
            }
            process => process.expect("Xvfb runs"),
        };
        let mut number = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut number).expect("the display that it chose");
        Some(Self { process, display: format!(":{}", number.trim()) })
    }

    fn screen(&self) -> Screen {
        let rate = FrameRate::new(50, 1).expect("a rate");
        Screen::open(Some(&self.display), rate, Arc::new(Clock::default())).expect("a screen")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Another program on the same display, which draws.
struct Painter {
    connection: RustConnection,
    root: Window,
}

impl Painter {
    fn new(server: &Server) -> Self {
        let (connection, index) = RustConnection::connect(Some(&server.display)).expect("a connection");
        let root = connection.setup().roots[index].root;
        Self { connection, root }
    }

    fn fill(&self, rgb: u32, x: i16, y: i16, width: u16, height: u16) {
        let gc = self.connection.generate_id().expect("an id");
        let paint = CreateGCAux::new().foreground(rgb);
        self.connection.create_gc(gc, self.root, &paint).expect("sent");
        let area = Rectangle { x, y, width, height };
        self.connection.poly_fill_rectangle(self.root, gc, &[area]).expect("sent").check().expect("painted");
    }

    /// Gives the screen a red cursor of 16 by 16 pixels whose tip is at its own middle.
    fn red_cursor(&self) {
        let [map, gc, cursor] = [(); 3].map(|()| self.connection.generate_id().expect("an id"));
        self.connection.create_pixmap(1, map, self.root, 16, 16).expect("sent");
        self.connection.create_gc(gc, map, &CreateGCAux::new().foreground(1)).expect("sent");
        let all = Rectangle { x: 0, y: 0, width: 16, height: 16 };
        self.connection.poly_fill_rectangle(map, gc, &[all]).expect("sent");
        self.connection.create_cursor(cursor, map, map, u16::MAX, 0, 0, 0, 0, 0, 8, 8).expect("sent");
        let set = ChangeWindowAttributesAux::new().cursor(cursor);
        self.connection.change_window_attributes(self.root, &set).expect("sent").check().expect("a cursor");
    }

    fn point(&self, x: i16, y: i16) {
        let warp = self.connection.warp_pointer(NONE, self.root, 0, 0, 0, 0, x, y);
        warp.expect("sent").check().expect("moved");
    }

    /// Makes the screen smaller, as who turns or docks it does.
    fn resize(&self, width: u16, height: u16) {
        let resources = self.connection.randr_get_screen_resources(self.root).expect("sent");
        let resources = resources.reply().expect("resources");
        for &crtc in &resources.crtcs {
            let off = self.connection.randr_set_crtc_config(
                crtc,
                CURRENT_TIME,
                resources.config_timestamp,
                0,
                0,
                0,
                x11rb::protocol::randr::Rotation::ROTATE0,
                &[],
            );
            off.expect("sent").reply().expect("switched off");
        }
        let resized = self.connection.randr_set_screen_size(self.root, width, height, 100, 100);
        resized.expect("sent").check().expect("another size");
    }
}

/// Luma and chroma at a place.
fn colour(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    let width = picture.resolution.width as usize;
    let [luma, u, v] = picture.planes();
    let chroma = y / 2 * (width / 2) + x / 2;
    [luma[y * width + x], u[chroma], v[chroma]]
}

fn assert_close(got: [u8; 3], wanted: [u8; 3], what: &str) {
    let close = got.iter().zip(wanted).all(|(&got, wanted)| got.abs_diff(wanted) <= 2);
    assert!(close, "{what}: {got:?} instead of {wanted:?}");
}

fn picture(screen: &mut Screen) -> Picture {
    screen.next().expect("captured").expect("a picture")
}

const RED: [u8; 3] = [63, 102, 240];
const GREEN: [u8; 3] = [173, 42, 26];
const BLUE: [u8; 3] = [32, 240, 118];
const WHITE: [u8; 3] = [235, 128, 128];

#[test]
fn what_is_painted_is_captured_in_its_colours() {
    let Some(server) = Server::start("641x361x24") else { return };
    let painter = Painter::new(&server);
    let mut screen = server.screen();
    painter.point(600, 300);
    assert!(screen.grab.shared.is_some(), "Xvfb shares memory");
    assert_eq!(screen.resolution(), Resolution { width: 640, height: 360 });
    // Once through shared memory and once without.
    for rgb in [[0xff_0000, 0xff00, 0xff, 0xff_ffff], [0xff, 0xff_ffff, 0xff_0000, 0xff00]] {
        for (index, rgb) in (0..).zip(rgb) {
            painter.fill(rgb, index * 100, 20, 100, 100);
        }
        let shown = picture(&mut screen);
        for (index, rgb) in rgb.into_iter().enumerate() {
            let wanted = match rgb {
                0xff_0000 => RED,
                0xff00 => GREEN,
                0xff => BLUE,
                _ => WHITE,
            };
            for (x, y) in [(index * 100 + 2, 22), (index * 100 + 50, 70), (index * 100 + 97, 117)] {
                assert_close(colour(&shown, x, y), wanted, &format!("{rgb:06x} at {x},{y}"));
            }
        }
        assert_close(colour(&shown, 50, 200), [16, 128, 128], "the rest");
        screen.grab.shared = None;
    }
}

#[test]
fn the_cursor_is_drawn_where_it_points_and_at_the_edge() {
    let Some(server) = Server::start("320x240x24") else { return };
    let painter = Painter::new(&server);
    painter.red_cursor();
    let mut screen = server.screen();
    for (x, y) in [(160, 120), (0, 0), (319, 239)] {
        painter.point(x, y);
        let shown = picture(&mut screen);
        let at = |x: i16, y: i16| colour(&shown, x as usize, y as usize);
        assert_close(at(x, y), RED, "the cursor");
        assert_close(at((x + 40) % 320, y), [16, 128, 128], "beside it");
    }
}

#[test]
fn a_screen_of_another_size_is_scaled_to_the_first() {
    let Some(server) = Server::start("640x480x24") else { return };
    let painter = Painter::new(&server);
    let mut screen = server.screen();
    let first = picture(&mut screen);
    painter.resize(320, 200);
    painter.fill(0xff, 0, 0, 320, 200);
    painter.point(5, 5);
    let second = picture(&mut screen);
    assert_eq!((first.resolution, second.resolution), (screen.resolution(), screen.resolution()));
    assert_eq!(screen.grab.size, (320, 200));
    for (x, y) in [(100, 100), (630, 470)] {
        assert_close(colour(&second, x, y), BLUE, "scaled up");
    }
    assert!(second.timestamp > first.timestamp);
}

#[test]
fn a_server_that_ends_is_an_error_and_so_is_none() {
    let Some(server) = Server::start("320x240x24") else { return };
    let mut screen = server.screen();
    picture(&mut screen);
    drop(server);
    let error = screen.next().expect_err("it is gone").to_string();
    assert!(error.contains("no longer"), "{error}");
    let rate = FrameRate::new(30, 1).expect("a rate");
    // The display that has become free may be another test's by now; no server chooses one so high.
    let error = Screen::open(Some(":4242"), rate, Arc::new(Clock::default())).err().expect("no display");
    assert!(error.to_string().contains("DISPLAY"), "{error}");
}
