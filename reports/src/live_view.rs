//! A few lines at the bottom of a terminal that change in place, drawn with indicatif.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the spinner turns. Nothing else moves between events.
const TICK: Duration = Duration::from_millis(120);

/// The lines and what scrolls above them.
pub(crate) struct LiveView {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
    colour: bool,
}

impl LiveView {
    /// A view on `target` with nothing in it.
    pub(crate) fn new(target: ProgressDrawTarget, colour: bool) -> Self {
        Self { all: MultiProgress::with_draw_target(target), lines: Vec::new(), colour }
    }

    /// Writes `text` above the lines, where it stays.
    pub(crate) fn scroll(&self, text: &str) {
        // Progress that cannot be shown changes nothing.
        let _ = self.all.println(text);
    }

    /// Shows `lines` in place of those before; the first one carries the spinner and the seconds since it appeared.
    pub(crate) fn show(&mut self, lines: &[String]) {
        while self.lines.len() > lines.len() {
            if let Some(line) = self.lines.pop() {
                line.finish_and_clear();
                self.all.remove(&line);
            }
        }
        while self.lines.len() < lines.len() {
            let first = self.lines.is_empty();
            let line = self.all.add(ProgressBar::no_length().with_style(self.style(first)));
            if first {
                line.enable_steady_tick(TICK);
            }
            self.lines.push(line);
        }
        for (line, text) in self.lines.iter().zip(lines) {
            if line.message() != *text {
                line.set_message(text.clone());
            }
        }
    }

    /// Takes all lines away.
    pub(crate) fn clear(&mut self) {
        self.show(&[]);
    }

    fn style(&self, first: bool) -> ProgressStyle {
        let template = match (first, self.colour) {
            (true, true) => "{spinner:.cyan} {elapsed:.dim} {wide_msg}",
            (true, false) => "{spinner} {elapsed} {wide_msg}",
            (false, _) => "  {wide_msg}",
        };
        ProgressStyle::with_template(template).expect("the three templates above are valid")
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what is written and knows no cursor.
    #[derive(Debug, Clone, Default)]
    struct Terminal(Arc<Mutex<String>>);

    impl Terminal {
        fn take(&self) -> String {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            40
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_change_in_place_are_cut_at_the_width_and_go_away() {
        let terminal = Terminal::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 200);
        let mut view = LiveView::new(target, false);
        view.show(&["starting".to_owned(), "load 7 requests".to_owned()]);
        view.scroll("a line that stays");
        let shown = terminal.take();
        assert!(shown.contains("a line that stays"), "{shown:?}");
        assert!(shown.contains("starting") && shown.contains("load 7 requests"), "{shown:?}");
        view.show(&["a phase whose name is much longer than the terminal is wide".to_owned()]);
        view.scroll("next");
        let shown = terminal.take();
        assert!(shown.contains("a phase whose") && !shown.contains("wide"), "{shown:?}");
        assert!(!shown[shown.rfind("next").unwrap()..].contains("load 7"), "{shown:?}");
        view.clear();
        terminal.take();
        view.scroll("the end");
        assert_eq!(terminal.take().trim(), "the end");
    }
}
