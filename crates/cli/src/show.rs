//! What a person sees: messages, progress, tables.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;
use photosite::Finding;
use photosite::calibrate::dark::DarkSource;
use photosite::calibrate::flat_fit::{FlatAnswer, FlatFit};
use photosite::event::{Event, Observer};
use photosite::finding::Severity;
use serde::Serialize;
use serde_json::Value;

/// Why standard output took no more, where it did not.
static LOST: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// What a terminal may be told: text, and colours. Other control characters, which headers and file
/// names may hold, would move its cursor or rename its window.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = rest.strip_prefix("\x1b[").and_then(|codes| {
            let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            codes[end..].starts_with('m').then_some(2 + end + 1)
        });
        let length = colour.unwrap_or(c.len_utf8());
        match c {
            _ if colour.is_some() => out.push_str(&rest[..length]),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
        rest = &rest[length..];
    }
    out
}

/// How much is said, and where else it is written.
#[derive(Debug, Default)]
pub struct Voice {
    /// Only what is wrong, and data that was asked for.
    pub quiet: bool,
    /// A file that all messages are added to, each with its time.
    pub log: Option<File>,
    /// What the command prints is what it was asked for, not an account of files that it made.
    pub prints_data: bool,
}

/// The voice of this process; that of a person at a terminal until it is set.
static VOICE: OnceLock<Voice> = OnceLock::new();

/// The gravest finding told: how many steps above none.
static GRAVEST: AtomicU8 = AtomicU8::new(0);

/// Opens a log to add to; a file that is no log is left alone.
pub fn open_log(path: &Path) -> anyhow::Result<File> {
    let mut head = [0; 20];
    let there = File::open(path).and_then(|mut f| f.read(&mut head)).unwrap_or(0);
    let time = |i: usize| match b"0000-00-00T00:00:00Z"[i] {
        b'0' => head[i].is_ascii_digit(),
        mark => head[i] == mark,
    };
    if there > 0 && !(0..head.len()).all(time) {
        anyhow::bail!(
            "{}: is no log of Photosite's; choose another file for --log",
            path.display()
        );
    }
    let file = File::options().append(true).create(true).open(path);
    file.with_context(|| format!("{}: the log cannot be written", path.display()))
}

/// Sets how much is said, once.
pub fn speak(voice: Voice) {
    let _ = VOICE.set(voice);
}

/// Whether only what is wrong is to be said.
pub fn quiet() -> bool {
    VOICE.get().is_some_and(|v| v.quiet)
}

/// Whether something was told that wants a person's look: a warning or an error.
pub fn warned() -> bool {
    GRAVEST.load(Ordering::Relaxed) > Severity::Info as u8 + 1
}

/// Adds a message to the log, where there is one.
fn log(text: &str) {
    let Some(mut file) = VOICE.get().and_then(|v| v.log.as_ref()) else { return };
    let now = photosite::env::now_utc();
    for line in anstream::adapter::strip_str(text).to_string().lines() {
        let _ = writeln!(file, "{now} {line}");
    }
}

/// Prints an account as JSON, with the schema `photosite.KIND/1` in it, or in each of a list.
pub fn json(kind: &str, value: &impl Serialize) -> anyhow::Result<()> {
    let with_schema = |value: Value| match value {
        Value::Object(fields) if !fields.contains_key("schema") => {
            let mut all = serde_json::Map::new();
            all.insert("schema".into(), format!("photosite.{kind}/1").into());
            all.extend(fields);
            Value::Object(all)
        }
        other => other,
    };
    let told = match serde_json::to_value(value)? {
        Value::Array(list) => Value::Array(list.into_iter().map(with_schema).collect()),
        one => with_schema(one),
    };
    data(&serde_json::to_string_pretty(&told)?);
    Ok(())
}

/// Prints a line of what a person may want to see; nothing where a file is what was asked for and only
/// what is wrong is to be said.
pub fn line(text: std::fmt::Arguments<'_>) {
    if VOICE.get().is_none_or(|v| v.prints_data || !v.quiet) {
        data(&text.to_string());
    }
}

/// Prints data that was asked for.
fn data(text: &str) {
    if let Err(e) = writeln!(anstream::stdout(), "{}", harmless(text)) {
        LOST.lock().expect("no holder panics").get_or_insert(e);
    }
}

/// Prints a message, unless only what is wrong is to be said.
pub fn message(text: std::fmt::Arguments<'_>) {
    say(&text.to_string(), quiet());
}

/// Prints a message and adds it to the log; nobody can be told where it cannot be written.
fn say(text: &str, in_the_log_only: bool) {
    let text = harmless(text);
    log(&text);
    if !in_the_log_only {
        let _ = writeln!(anstream::stderr(), "{text}");
    }
}

/// Checks that all data was written; who closed a pipe has seen enough.
pub fn all_written() -> anyhow::Result<()> {
    let flushed = std::io::stdout().flush();
    let lost = LOST.lock().expect("no holder panics").take().map_or(flushed, Err);
    match lost {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(e).context("standard output could not be written"))
        }
        _ => Ok(()),
    }
}

/// Says why a command failed.
pub fn error(e: &anyhow::Error) {
    let mut message = String::new();
    for cause in e.chain() {
        let text = cause.to_string();
        // A wrapped cause often repeats its wrapper.
        if !message.contains(&text) {
            if !message.is_empty() {
                message.push_str(": ");
            }
            message.push_str(&text);
        }
    }
    say(&format!("{} {message}", "error:".red().bold()), false);
}

/// A line of progress: one that changes on a terminal, a line a stage elsewhere.
pub struct ProgressLine {
    bar: Option<ProgressBar>,
    terminal: bool,
}

impl Default for ProgressLine {
    /// On standard error.
    fn default() -> Self {
        Self { bar: None, terminal: std::io::stderr().is_terminal() && !quiet() }
    }
}

impl ProgressLine {
    /// Begins a stage of so many units; `template` is how it looks on a terminal.
    pub fn begin(&mut self, stage: &str, total: u64, template: &str) {
        if self.terminal {
            let style = ProgressStyle::with_template(template).expect("templates are constants");
            let bar =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(style);
            bar.set_message(stage.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            self.bar = Some(bar);
        } else if total > 0 {
            eprintln!("{stage} ({total})");
        }
    }

    /// Some units are done; `note` is said of what is left.
    pub fn advance(&self, by: u64, note: Option<String>) {
        let Some(bar) = &self.bar else { return };
        bar.inc(by);
        note.into_iter().for_each(|note| bar.set_prefix(note));
    }

    /// Ends the stage.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Progress for a person: a bar a stage.
#[derive(Default)]
pub struct Progress(Mutex<ProgressLine>);

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        const BAR: &str = "{msg:20} {bar:30} {pos}/{len}  {elapsed} elapsed, {eta} to go";
        let mut line = self.0.lock().expect("no holder panics");
        match event {
            Event::Started { stage, total } => line.begin(stage.name(), total, BAR),
            Event::Advanced { by, .. } => line.advance(by, None),
            Event::Finished => line.end(),
            // Findings are told at the end, together; a night tells of its stacks elsewhere.
            Event::Found(_) | Event::Ahead(_) | Event::Picture { .. } => {}
        }
    }
}

/// The word for a severity, coloured.
fn label(severity: Severity) -> String {
    match severity {
        Severity::Info => format!("{}", "info:".cyan()),
        Severity::Warning => format!("{}", "warning:".yellow().bold()),
        Severity::Error => format!("{}", "error:".red().bold()),
    }
}

/// Columns of the terminal that messages go to; as many as are wanted where there is none.
fn error_width() -> usize {
    let columns = Table::new().width().map_or(usize::MAX, usize::from);
    if std::io::stderr().is_terminal() { columns } else { usize::MAX }
}

/// A message in lines of at most `width`, broken between words; the first begins behind so many characters,
/// the others nine columns in.
fn wrapped(text: &str, width: usize, first: usize) -> String {
    const INDENT: usize = 9;
    let (mut out, mut column) = (String::new(), first);
    for (i, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if i > 0 && column.saturating_add(1 + length) > width {
            out.push('\n');
            out.push_str(&" ".repeat(INDENT));
            column = INDENT;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Subjects of one error that are named one by one; the report names them all.
const NAMED: usize = 20;

/// Prints findings, the gravest first; those of one code with one message are printed once.
pub fn findings(findings: &[Finding]) {
    let mut order: Vec<&Finding> = findings.iter().collect();
    order.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let mut groups: Vec<(&str, String, Vec<&Finding>)> = Vec::new();
    for finding in order {
        let message = in_whole_degrees(&finding.message);
        match groups.iter_mut().find(|g| (g.0, &g.1) == (&finding.code, &message)) {
            Some(group) => group.2.push(finding),
            None => groups.push((&finding.code, message, vec![finding])),
        }
    }
    for (_, _, group) in &groups {
        let finding = group[0];
        let alike = group.iter().map(|f| f.subject.as_str());
        // What was left out is named, each by its name; the rest is counted.
        let names = if finding.severity == Severity::Error { NAMED } else { 1 };
        let subjects: Vec<&str> = alike.collect();
        let shown = subjects[..subjects.len().min(names)].join(", ");
        let more = subjects.len().saturating_sub(names);
        let also = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        GRAVEST.fetch_max(finding.severity as u8 + 1, Ordering::Relaxed);
        let unasked = quiet() && finding.severity == Severity::Info;
        let width = error_width();
        let head = finding.severity.name().len() + 2;
        let told = wrapped(&format!("{shown}{also}: {}", finding.message), width, head);
        say(&format!("{} {told}", label(finding.severity)), unasked);
        if !finding.hint.is_empty() {
            let hint = wrapped(&finding.hint, width, 15);
            say(&format!("         {} {hint}", "hint:".green()), unasked);
        }
    }
}

/// A message in which temperatures are whole degrees: those of one set point differ by tenths.
fn in_whole_degrees(message: &str) -> String {
    let words = message.split(' ').collect::<Vec<_>>();
    let whole = |(i, word): (usize, &&str)| {
        let next = words.get(i + 1).map_or("", |w| w.trim_end_matches([',', ';', '.', ':', ')']));
        match word.parse::<f64>() {
            Ok(degrees) if next == "C" && word.contains('.') => format!("{:.0}", degrees + 0.0),
            _ => (*word).to_owned(),
        }
    };
    words.iter().enumerate().map(whole).collect::<Vec<_>>().join(" ")
}

/// A plain table with a heading; columns named in `right` are set to the right.
pub fn table(heading: &[&str], right: &[usize], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heading.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.to_string().lines() {
        println!("{}", line.trim_end());
    }
}

/// Bytes as a person reads them.
pub fn bytes(n: u64) -> String {
    let n = n as f64;
    for (unit, size) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if n >= size {
            return format!("{:.1} {unit}", n / size);
        }
    }
    format!("{n} B")
}

/// A number with as many decimals as it deserves.
pub fn number(v: f64) -> String {
    match v.abs() {
        _ if v.is_nan() => "-".to_owned(),
        _ if v.fract() == 0.0 && v.abs() < 1e9 => format!("{v}"),
        a if a >= 1000.0 => format!("{v:.1}"),
        a if a >= 10.0 => format!("{v:.2}"),
        _ => format!("{v:.4}"),
    }
}

/// What a light says of its flat, behind the flat's name.
pub fn flat_fit(fit: FlatFit) -> String {
    match fit.answer {
        FlatAnswer::Fits => " fits".to_owned(),
        FlatAnswer::Turned => format!(" turned {:.1} deg", fit.angle_deg.unwrap_or(0.0)),
        FlatAnswer::DoesNotFit => " does not fit".to_owned(),
        FlatAnswer::CannotBeTold => String::new(),
    }
}

/// The factor of a dark, to follow what it belongs to; nothing for a matched dark, and for none.
pub fn factor(source: DarkSource, k: Option<f64>, error: Option<f64>) -> String {
    let Some(k) = k else { return String::new() };
    match (source, error) {
        (DarkSource::Matched | DarkSource::None, _) => String::new(),
        (DarkSource::Nearest, _) => " as it is".to_owned(),
        (DarkSource::Model, _) => " by a model".to_owned(),
        (_, Some(error)) => format!(" x {k:.4} +- {error:.4}"),
        (DarkSource::Exposure, None) => format!(" x {k:.4} by exposure"),
        (_, None) => format!(" x {k:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{harmless, in_whole_degrees, wrapped};

    #[test]
    fn messages_break_between_words() {
        let told = wrapped("a light: it is not like the others of its stack", 24, 9);
        assert_eq!(
            told,
            "a light: it is\n         not like the\n         others of its\n         stack"
        );
        assert_eq!(wrapped("as it is", usize::MAX, 9), "as it is");
    }

    #[test]
    fn tenths_of_a_degree_make_no_other_message() {
        let of = |t: &str| in_whole_degrees(&format!("no dark of 300 s at {t} C, gain 1.25"));
        assert_eq!(of("-10.0"), of("-9.9"));
        assert_eq!(of("-10.1"), "no dark of 300 s at -10 C, gain 1.25");
        assert_ne!(of("-10.0"), of("-5.0"));
    }

    #[test]
    fn a_terminal_is_told_text_and_colours_only() {
        for (text, told) in [
            ("plain \u{e9} \n\t", "plain \u{e9} \n\t"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b]0;pwned\x07", "\u{fffd}]0;pwned\u{fffd}"),
            ("\x1b[2J", "\u{fffd}[2J"),
            ("good\rEVIL", "good\u{fffd}EVIL"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("\x1b[", "\u{fffd}["),
        ] {
            assert_eq!(harmless(text), told, "{text:?}");
        }
    }
}
